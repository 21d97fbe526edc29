"""The libraries that web programs use: nodemailer submits, imapflow reads."""
import json
import subprocess
import textwrap

import pytest

from server import PASSWORD, ROOT, wait_for

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


def test_imapflow_keeps_up_by_idle_and_comes_back_with_qresync(server, user, modules):
    """Searches, flags, moves; hears of new mail, flags and expunges while it waits; then asks only for what it missed."""
    for number in range(5):
        server.deliver(user, f"From: a@example.org\r\nSubject: number {number}\r\n\r\nbody {number}\r\n")
    with server.imap(user) as client:
        wait_for(client, 5)
    answer = run(modules, """
        const {ImapFlow} = require('imapflow');
        const open = async qresync => {
            const client = new ImapFlow({host: '127.0.0.1', port: given.imap, secure: true, logger: false, qresync,
                auth: {user: given.user, pass: given.password}, tls: {rejectUnauthorized: false}});
            await client.connect();
            return client;
        };
        const until = async condition => {
            for (const end = Date.now() + 15000; !condition();) {
                if (Date.now() > end) throw new Error('not in time: ' + condition);
                await new Promise(done => setTimeout(done, 20));
            }
        };
        (async () => {
            const seen = {exists: [], flags: [], expunged: []};
            const watcher = await open(true);
            watcher.on('exists', event => seen.exists.push(event.count));
            watcher.on('flags', event => seen.flags.push([event.uid, [...event.flags]]));
            watcher.on('expunge', event => seen.expunged.push(event.uid));
            await watcher.mailboxOpen('INBOX');
            const idle = watcher.idle();

            const other = await open(false);
            await other.mailboxOpen('INBOX');
            await other.append('INBOX', 'Subject: number 5\\r\\n\\r\\nbody 5\\r\\n', ['\\\\Flagged']);
            await until(() => seen.exists.includes(6));
            await other.messageFlagsAdd('2', ['\\\\Seen']);
            await until(() => seen.flags.some(([uid, flags]) => uid === 2 && flags.includes('\\\\Seen')));
            await other.mailboxCreate('Aside');
            const moved = await other.messageMove('1', 'Aside', {uid: true});
            await until(() => seen.expunged.includes(1));
            const state = await watcher.status('INBOX', {highestModseq: true});
            await watcher.logout();
            await idle;

            await other.messageFlagsAdd('3', ['\\\\Answered'], {uid: true});
            await other.messageDelete('4', {uid: true});
            const missed = {flags: [], expunged: []};
            const back = await open(true);
            back.on('expunge', event => missed.expunged.push([event.uid, event.vanished]));
            await back.mailboxOpen('INBOX');
            for await (const one of back.fetch('1:*', {uid: true, flags: true}, {uid: true, changedSince: state.highestModseq}))
                missed.flags.push([one.uid, [...one.flags]]);
            const found = await back.search({body: 'body 2', or: [{subject: 'number 2'}, {flagged: true}]});
            const flagged = await back.search({flagged: true}, {uid: true});
            await other.logout();
            await back.logout();
            console.log(JSON.stringify({found, flagged, missed, moved: [...moved.uidMap]}));
        })().catch(error => { console.error(error); process.exit(1); });
        """, imap=server.port(993), user=user, password=PASSWORD)
    assert answer["moved"] == [[1, 1]]
    assert answer["missed"] == {"flags": [[3, ["\\Answered"]]], "expunged": [[4, True]]}
    assert answer["flagged"] == [6] and answer["found"] == [2]
