"""A strict RFC 8935 receiver that knows nothing of us: PyJWT and the standard library.
usage: strict_receiver.py JWKS STORE    prints its port; appends each accepted SET to STORE as a line"""
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import jwt

keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(open(sys.argv[1]).read()).keys}
store = open(sys.argv[2], "a")


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        err = self.judge(body)
        self.send_response(400 if err else 202)
        answer = json.dumps({"err": err[0], "description": err[1]}).encode() if err else b""
        if err:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Language", "en")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def judge(self, body):
        if self.headers["Content-Type"] != "application/secevent+jwt" or self.headers["Accept"] != "application/json":
            return "invalid_request", "content type or accept"
        try:
            header = jwt.get_unverified_header(body)
            key = keys.get(header.get("kid"))
            if header.get("typ") != "secevent+jwt" or key is None:
                return "invalid_key", "no such key"
            claims = jwt.decode(body, key.key, algorithms=["ES256"], options={"require": ["iss", "iat", "jti"]})
            if len(claims["events"]) != 1 or "sub" in claims or "exp" in claims:
                return "invalid_request", "not one event"
        except jwt.InvalidSignatureError:
            return "invalid_key", "signature"
        except (jwt.PyJWTError, KeyError) as error:
            return "invalid_request", str(error)
        store.write(body.decode() + "\n")
        store.flush()
        os.fsync(store.fileno())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
