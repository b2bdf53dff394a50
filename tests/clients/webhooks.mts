// A receiver of webhooks as others write it: registered with `@logto/api`, its deliveries verified with `standardwebhooks`, and with
// what the contract's users have for theirs.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import { createManagementApi } from '@logto/api/management';
import { Webhook } from 'standardwebhooks';
import { given } from './support.js';

const credentials = { clientId: given('CLIENT_ID'), clientSecret: given('CLIENT_SECRET'), baseUrl: given('URL') };
const { apiClient } = createManagementApi('default', credentials);

const deliveries: Array<{ headers: IncomingHttpHeaders; body: string }> = [];
const server = createServer(async (request, response) => {
  deliveries.push({ headers: request.headers, body: await text(request) });
  response.writeHead(204).end();
  server.emit('delivery');
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

const hook = await apiClient.POST('/api/hooks', { body: { name: 'Receiver', events: ['User.Created'], config: { url } } });
assert(hook.data, JSON.stringify(hook.error));
const { id, signingKey } = hook.data;
const listed = await apiClient.GET('/api/hooks', { params: { query: { page: 1, page_size: 10 } } });
assert(listed.data?.some((one) => one.id === id), JSON.stringify(listed.error));

const delivered = once(server, 'delivery', { signal: AbortSignal.timeout(20_000) });
const created = await apiClient.POST('/api/users', { body: { username: 'grace' } });
assert(created.data, JSON.stringify(created.error));
await delivered;
const tested = once(server, 'delivery', { signal: AbortSignal.timeout(20_000) });
const test = await apiClient.POST('/api/hooks/{id}/test', { params: { path: { id } }, body: { events: ['User.Deleted'], config: { url } } });
assert.equal(test.response.status, 204, JSON.stringify(test.error));
await tested;

assert.equal(deliveries.length, 2);
for (const { headers, body } of deliveries) {
  // The clock of the tested server stands still.
  Date.now = () => Number(headers['webhook-timestamp']) * 1000;
  const event = new Webhook(signingKey).verify(body, headers as Record<string, string>) as { event: string; hookId: string };
  assert.equal(event.hookId, id);
  assert.throws(() => new Webhook(signingKey).verify(`${body} `, headers as Record<string, string>));
  assert.equal(createHmac('sha256', signingKey).update(body).digest('hex'), headers['logto-signature-sha-256']);
}
const gone = await apiClient.DELETE('/api/hooks/{id}', { params: { path: { id } } });
assert.equal(gone.response.status, 204);
server.close();
