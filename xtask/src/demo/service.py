"""A stand-in for the services of the story: it answers each request with what it was sent, and keeps a copy."""

import http.server
import json
import ssl
import sys

chain, key, seen = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        shown = {name: value for name, value in self.headers.items() if name.lower() in ("authorization", "x-api-key")}
        with open(seen, "a", encoding="ascii") as file:
            file.write(f"{self.command} {self.headers['Host']} {self.path} {json.dumps(shown)}\n")
        body = json.dumps({"you_sent": shown}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
