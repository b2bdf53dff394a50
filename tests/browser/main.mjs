// One scenario, by name.
import * as account from './account.mjs';
import * as factors from './factors.mjs';
import * as everyPage from './pages.mjs';
import * as scenarios from './scenarios.mjs';
import { close, launch } from './support.mjs';

const all = { ...scenarios, ...account, ...factors, ...everyPage };
const name = process.argv[2];
if (!all[name]) throw new Error(`there is no scenario ${name}`);
let status = 0;
try {
  await launch();
  await all[name]();
} catch (error) {
  console.error(error);
  status = 1;
} finally {
  await close();
}
process.exit(status);
