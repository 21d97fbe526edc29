"""A server with one account, whom strangers write to."""
import smtplib

import pytest

from server import DOMAIN, Server, wait_for


class Site:
    """A server with one account."""

    def __init__(self, settings):
        self.server = Server(settings=settings)

    def __enter__(self):
        self.server.start()
        self.server.domain()
        self.server.account("ann")
        self.user = f"ann@{DOMAIN}"
        return self

    def __exit__(self, *rest):
        self.server.__exit__(*rest)

    def send(self, text):
        self.server.deliver(self.user, text.encode())

    def refusal(self, text):
        with pytest.raises(smtplib.SMTPDataError) as caught:
            self.send(text)
        return caught.value.smtp_code, caught.value.smtp_error.decode()

    def mail(self, mailbox, count):
        with self.server.imap(self.user, mailbox=mailbox) as client:
            return wait_for(client, count)
