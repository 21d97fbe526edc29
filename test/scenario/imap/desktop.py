"""Thunderbird, as somebody uses it who has just set up an account."""
import pytest

import thunderbird
from server import messages, wait_for, wait_until
from thunderbird import Thunderbird

COUNT = 10


def mail(number, text="some text"):
    return (f"From: Stranger <s@example.org>\r\nTo: me@demo.test\r\nSubject: number {number}\r\n"
            f"Message-ID: <{number}@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n{text} {number}\r\n").encode()


@pytest.fixture
def program(server, user, tmp_path):
    if thunderbird.PROGRAM is None:
        pytest.skip("Thunderbird is not installed: tools/deps clients")
    for number in range(COUNT):
        server.deliver(user, mail(number, "some rare pomegranate" if number == 7 else "some text"))
    with server.imap(user) as client:
        wait_for(client, COUNT)
    running = Thunderbird(server, user, tmp_path)
    yield running
    running.close()


def flags(server, user, number, mailbox="INBOX"):
    with server.imap(user, mailbox=mailbox) as client:
        found = client.search(None, "SUBJECT", f'"number {number}"')[1][0].split()
        return client.fetch(found[0], "(FLAGS)")[1][0] if found else None


def test_thunderbird_syncs_reads_searches_flags_moves_and_sees_new_mail(server, user, program):
    # The first look: folders are found, then the messages of the inbox.
    program.run("server.performExpand(null)")
    wait_until(lambda: program.run("return inbox() != null"), 30, "the inbox is found")
    program.run("await update(inbox())")
    wait_until(lambda: len(program.messages("Inbox")) == COUNT, 30, "all messages are listed")
    assert set(program.messages("Inbox")) == {f"number {number}" for number in range(COUNT)}

    # Reading: the body, and that it is read now.
    text = program.run("""
        const one = header(inbox(), "number 3");
        const service = MailServices.messageServiceFromURI(inbox().getUriForMsg(one));
        const stream = Cc["@mozilla.org/network/sync-stream-listener;1"].createInstance(Ci.nsISyncStreamListener);
        service.streamMessage(inbox().getUriForMsg(one), stream, null, null, false, "");
        const input = stream.inputStream, whole = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
        whole.init(input);
        let text = "";
        for (let left = whole.available(); left > 0; left = whole.available()) text += whole.read(left);
        inbox().markMessagesRead([one], true);
        return text;
        """)
    assert "some text 3" in text and "Message-ID: <3@example.org>" in text
    wait_until(lambda: b"\\Seen" in flags(server, user, 3), 20, "the server knows it is read")

    # A star.
    program.run('inbox().markMessagesFlagged([header(inbox(), "number 4")], true)')
    wait_until(lambda: b"\\Flagged" in flags(server, user, 4), 20, "the server knows of the star")

    # A search that the server does, since only it has the texts.
    found = program.run("""
        const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
        session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, inbox());
        const term = session.createTerm(), value = term.value;
        term.attrib = Ci.nsMsgSearchAttrib.Body; value.attrib = term.attrib;
        value.str = "pomegranate"; term.value = value; term.op = Ci.nsMsgSearchOp.Contains; term.booleanAnd = true;
        session.appendTerm(term);
        const found = [];
        await new Promise(done => { session.registerListener({onSearchHit(one) { found.push(one.mime2DecodedSubject); },
            onSearchDone() { done(); }, onNewSearch() {}, QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"])});
            session.search(null); });
        return found;
        """)
    assert found == ["number 7"]

    # A folder of its own, and a message moved there.
    program.run("""
        await new Promise(done => { const listener = {folderAdded(parent, child) { MailServices.mailSession.RemoveFolderListener(listener); done(); }};
            listener.onFolderAdded = listener.folderAdded; listener.QueryInterface = ChromeUtils.generateQI(["nsIFolderListener"]);
            MailServices.mailSession.AddFolderListener(listener, Ci.nsIFolderListener.added);
            server.rootFolder.createSubfolder("Grüße", null); });
        await new Promise(done => MailServices.copy.copyMessages(inbox(), [header(inbox(), "number 5")], folder("Grüße"), true,
            copyListener(done), null, false));
        """)
    wait_until(lambda: flags(server, user, 5, '"Gr&APwA3w-e"') is not None, 20, "the server has it in the new folder")
    assert flags(server, user, 5) is None
    wait_until(lambda: "number 5" not in program.messages("Inbox"), 20, "it has left the inbox")

    # New mail shows by IDLE: nothing asks for it here but the connection that waits.
    server.deliver(user, mail(50))
    wait_until(lambda: "number 50" in program.messages("Inbox"), 20, "new mail shows by itself")

    # What another client does shows, too.
    with server.imap(user) as client:
        client.store(client.search(None, "SUBJECT", '"number 1"')[1][0].split()[0], "+FLAGS", r"(\Flagged)")
        client.store(client.search(None, "SUBJECT", '"number 2"')[1][0].split()[0], "+FLAGS", r"(\Deleted)")
        client.expunge()
        assert len(messages(client)) == COUNT - 1
    wait_until(lambda: "number 2" not in program.messages("Inbox") and program.messages("Inbox")["number 1"]["flagged"], 20,
               "another client's changes show")
