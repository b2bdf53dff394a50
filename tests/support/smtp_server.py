"""A real SMTP server (aiosmtpd) that stores what it takes, or misbehaves as told.

Prints one JSON object a line: {"event": "ready", "port"}, then {"event": "message", ...} and {"event": "closed", "connection"}.
"""

import argparse
import asyncio
import datetime
import json
import logging
import pathlib
import ssl
import tempfile
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

logging.disable()
warnings.simplefilter("ignore")

options = argparse.ArgumentParser()
options.add_argument("--recipient-answer", help="what RCPT is answered, such as '550 no such user'")
options.add_argument("--sender-answer", help="what MAIL is answered")
options.add_argument("--login", help="user:password that AUTH takes; nothing else is taken without it")
options.add_argument("--hang", choices=["greeting", "first-data", "rested"], help="where to fall silent for ever")
options.add_argument("--drop", action="store_true", help="hang up on the second MAIL of a connection, without an answer")
options.add_argument("--idle", type=float, default=300, help="seconds after which an idle connection is closed")
options.add_argument("--tls", choices=["starttls", "implicit"])
options.add_argument("--ca-out", help="where to write the certificate of the authority made for this run")
options = options.parse_args()

connections = 0
messages = 0


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Server(SMTP):
    def connection_made(self, transport):
        global connections
        if not hasattr(self, "number"):  # STARTTLS calls this again
            connections += 1
            self.number = connections
        super().connection_made(transport)

    def connection_lost(self, error):
        tell("closed", connection=self.number)
        super().connection_lost(error)

    async def _handle_client(self):
        if options.hang == "greeting":
            await asyncio.sleep(3600)
        await super()._handle_client()


class Handler:
    async def silence(self, server):
        """The first connection, once it has brought a message, is never answered again."""
        if options.hang == "rested" and server.number == 1 and messages:
            await asyncio.sleep(3600)

    async def handle_NOOP(self, server, session, envelope, argument):
        await self.silence(server)
        return "250 OK"

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        await self.silence(server)
        session.mails = getattr(session, "mails", 0) + 1
        if options.drop and session.mails == 2:
            server.transport.abort()
            return "421 gone"
        if options.sender_answer:
            return options.sender_answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if options.recipient_answer:
            return options.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global messages
        messages += 1
        if options.hang == "first-data" and messages == 1:
            await asyncio.sleep(3600)
        tell(
            "message",
            connection=server.number,
            tls=session.ssl is not None or options.tls == "implicit",
            login=session.auth_data,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            data=envelope.content.decode("ascii"),
        )
        return "250 stored"


def authenticate(server, session, envelope, mechanism, data):
    name = data.login.decode()
    if f"{name}:{data.password.decode()}" == options.login:
        return AuthResult(success=True, auth_data=name)
    return AuthResult(success=False, handled=False)


def certificates():
    """An authority, and a certificate of it for localhost: (authority, certificate, key) in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def sign(name, key, issuer, issuer_key, is_authority):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            name = x509.SubjectAlternativeName([x509.DNSName("localhost")])
            builder = builder.add_extension(name, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = sign(named("Test authority"), authority_key, named("Test authority"), authority_key, True)
    certificate = sign(named("localhost"), key, named("Test authority"), authority_key, False)
    pem = serialization.Encoding.PEM
    key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), certificate.public_bytes(pem), key


def tls_context():
    authority, certificate, key = certificates()
    pathlib.Path(options.ca_out).write_bytes(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as chain:
        chain.write(certificate + key)
        chain.flush()
        context.load_cert_chain(chain.name)
    return context


async def main():
    loop = asyncio.get_running_loop()
    context = tls_context() if options.tls else None
    starttls = context if options.tls == "starttls" else None

    def protocol():
        return Server(
            Handler(),
            hostname="test",
            timeout=options.idle,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate if options.login else None,
            auth_require_tls=False,
            auth_required=options.login is not None,
            loop=loop,
        )

    implicit = context if options.tls == "implicit" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    tell("ready", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
