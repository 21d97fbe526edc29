"""Thunderbird without a screen, driven through its own automation: scripts run inside of it, over the Marionette protocol."""
import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import textwrap

from server import PASSWORD, alive, children, wait_until

PROGRAM = shutil.which("thunderbird")

PREFERENCES = {
    "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False, "mailnews.start_page.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True, "mail.rights.version": 1, "mail.spotlight.firstRunDone": True,
    "mail.shell.checkDefaultClient": False, "network.captive-portal-service.enabled": False, "network.proxy.type": 0,
    "network.connectivity-service.enabled": False, "extensions.autoDisableScopes": 15, "mail.biff.show_alert": False,
    "mail.biff.play_sound": False, "mail.inappnotifications.enabled": False, "app.donation.eoy.version.viewed": 999,
    "mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
    "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1",
    "mail.server.server1.type": "imap", "mail.server.server1.name": "ours", "mail.server.server1.hostname": "127.0.0.1",
    "mail.server.server1.socketType": 3, "mail.server.server1.authMethod": 3, "mail.server.server1.login_at_startup": False,
    "mail.server.server1.check_new_mail": True, "mail.server.server1.check_time": 10, "mail.server.server1.use_idle": True,
    "mail.server.server1.is_secure": True, "mail.identity.id1.fullName": "Test", "mail.identity.id1.valid": True,
}

# What scripts may use.
PRELUDE = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getAccount("account1").incomingServer;
const folder = name => server.rootFolder.descendants.find(one => one.name.toLowerCase() == name.toLowerCase());
const inbox = () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const messages = where => [...where.messages].map(one => ({key: one.messageKey, subject: one.mime2DecodedSubject,
    read: one.isRead, flagged: one.isFlagged, size: one.messageSize}));
const header = (where, subject) => [...where.messages].find(one => one.mime2DecodedSubject == subject);
const update = where => new Promise(done => where.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(null,
    {OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { done(status); }}));
const copyListener = done => ({onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
    onStopCopy(status) { done(status); }, QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"])});
"""


class Thunderbird:
    def __init__(self, server, user, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        profile = folder / "profile"
        profile.mkdir()
        values = dict(PREFERENCES, **{"marionette.port": self.port, "mail.server.server1.port": server.port(993),
                                      "mail.server.server1.userName": user, "mail.identity.id1.useremail": user})
        (profile / "user.js").write_text("".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in values.items()))
        self.log = folder / "thunderbird.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--headless", "--no-remote", "--profile", profile, "--marionette", "--remote-allow-system-access"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=dict(os.environ, HOME=str(folder), MOZ_HEADLESS="1"))
        self.count = 0
        self.socket = wait_until(self.reach, 60, "Thunderbird listens")
        self.input = b""
        self.receive()
        self.command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": {"script": 60000}}}})
        self.command("Marionette:SetContext", {"value": "chrome"})
        certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port(993))))
        self.run("""
            const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
            const certificate = database.constructX509FromBase64(given.certificate);
            Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService)
                .rememberValidityOverride("127.0.0.1", given.port, {}, certificate, false);
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
            login.init("imap://127.0.0.1", null, "imap://127.0.0.1", given.user, given.password, "", "");
            await Services.logins.addLoginAsync(login);
            """, certificate=base64.b64encode(certificate).decode(), port=server.port(993), user=user, password=PASSWORD)

    def reach(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        try:
            return socket.create_connection(("127.0.0.1", self.port), timeout=90)
        except OSError:
            return None

    def receive(self):
        while b":" not in self.input:
            self.input += self.more()
        size, _, self.input = self.input.partition(b":")
        while len(self.input) < int(size):
            self.input += self.more()
        message, self.input = self.input[:int(size)], self.input[int(size):]
        return json.loads(message)

    def more(self):
        data = self.socket.recv(65536)
        assert data, "Thunderbird has gone: " + self.log.read_text(errors="replace")[-2000:]
        return data

    def command(self, name, parameters):
        self.count += 1
        message = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        kind, number, error, result = self.receive()
        assert (kind, number) == (1, self.count)
        assert error is None, error
        return result

    def run(self, script, **given):
        """The body of an async function; what it returns comes back."""
        whole = textwrap.dedent(f"""\
            const [given, resolve] = arguments;
            (async () => {{ {PRELUDE}
            {script}
            }})().then(value => resolve({{value: value === undefined ? null : value}}),
                       error => resolve({{error: String(error) + " " + (error && error.stack)}}));
            """)
        answer = self.command("WebDriver:ExecuteAsyncScript", {"script": whole, "args": [given], "sandbox": "system",
                                                               "newSandbox": False})["value"]
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def messages(self, name):
        return {one["subject"]: one for one in self.run("return folder(given.name) ? messages(folder(given.name)) : []", name=name)}

    def close(self):
        below = children(self.process.pid)
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        wait_until(lambda: not any(map(alive, below)), 10, "what Thunderbird started has ended")
