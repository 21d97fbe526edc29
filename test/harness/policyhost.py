"""An HTTPS server for MTA-STS policies of many domains, each with the certificate that a scenario gives it, and for reports."""
import collections
import http.server
import ssl
import threading
import time


class PolicyHost:
    """pages[domain] = (status, media type, text); certificates[domain] = (chain, key). A domain in `once` is answered
    just once, and 503 then; times[domain]: when each question came. posted: (host, path, media type, content)."""
    def __init__(self, address):
        self.pages, self.certificates, self.asked, self.posted, self.once = {}, {}, [], [], set()
        self.times = collections.defaultdict(list)
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                domain = self.headers["Host"].split(":")[0].removeprefix("mta-sts.")
                host.asked.append((domain, self.path))
                host.times[domain].append(time.monotonic())
                is_over = domain in host.once and len(host.times[domain]) > 1
                status, kind, text = (503, "text/plain", "") if is_over else host.pages[domain]
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                host.posted.append((self.headers["Host"].split(":")[0], self.path, self.headers["Content-Type"], content))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.contexts = {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.sni_callback = self.choose
        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def choose(self, connection, name, _):
        domain = (name or "").removeprefix("mta-sts.")
        if domain not in self.certificates:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if domain not in self.contexts:
            self.contexts[domain] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.contexts[domain].load_cert_chain(*self.certificates[domain])
        connection.context = self.contexts[domain]
        return None

    def close(self):
        self.server.shutdown()
        self.server.server_close()
