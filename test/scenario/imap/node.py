"""The libraries that web programs use: nodemailer submits, imapflow reads."""
import json
import subprocess
import textwrap

import pytest

from server import PASSWORD, ROOT

PACKAGES = ["nodemailer@7", "imapflow@1"]


@pytest.fixture(scope="module")
def modules():
    folder = ROOT / "build/npm"
    if not (folder / "node_modules/imapflow").exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *PACKAGES],
                                  capture_output=True, timeout=120)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            pytest.skip("npm does not give the packages here")
        if done.returncode != 0:
            pytest.skip("npm does not give the packages here")
    return folder


def run(modules, script, **values):
    done = subprocess.run(["node", "-e", f"const given = {json.dumps(values)};\n" + textwrap.dedent(script)], cwd=modules,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_nodemailer_submits_and_imapflow_reads(server, user, modules):
    answer = run(modules, """
        const transport = require('nodemailer').createTransport({host: '127.0.0.1', port: given.submission, secure: false,
            requireTLS: true, auth: {user: given.user, pass: given.password}, tls: {rejectUnauthorized: false}});
        transport.sendMail({from: given.user, to: given.user, subject: 'Grüße', text: 'from node',
            attachments: [{filename: 'ä.txt', content: 'attached'}]}).then(info => console.log(JSON.stringify(info.accepted)));
        """, submission=server.port(587), user=user, password=PASSWORD)
    assert answer == [user]
    answer = run(modules, """
        const {ImapFlow} = require('imapflow');
        (async () => {
            const client = new ImapFlow({host: '127.0.0.1', port: given.imap, secure: true, logger: false,
                auth: {user: given.user, pass: given.password}, tls: {rejectUnauthorized: false}});
            await client.connect();
            const lock = await client.getMailboxLock('INBOX');
            const mail = await client.fetchOne('*', {envelope: true, bodyStructure: true, flags: true});
            await client.messageFlagsAdd('1', ['\\\\Flagged']);
            const flagged = await client.search({flagged: true});
            await client.mailboxCreate('Füße');
            await client.messageMove('1', 'Füße');
            lock.release();
            const status = await client.status('Füße', {messages: true});
            await client.logout();
            console.log(JSON.stringify({subject: mail.envelope.subject, flagged, moved: status.messages,
                file: mail.bodyStructure.childNodes[1].dispositionParameters.filename}));
        })().catch(error => { console.error(error); process.exit(1); });
        """, imap=server.port(993), user=user, password=PASSWORD)
    assert answer["subject"] == "Grüße" and answer["flagged"] == [1] and answer["moved"] == 1
    assert answer["file"] == "ä.txt"
