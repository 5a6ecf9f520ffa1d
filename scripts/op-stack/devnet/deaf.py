#!/usr/bin/env python3
"""A node that says yes to every transaction and takes none: deaf.py PORT RPC. Each that it dropped is a line."""

import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Deaf(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        call = json.loads(body)
        if isinstance(call, dict) and call.get("method") == "eth_sendRawTransaction":
            print(call["params"][0], flush=True)
            reply = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "0x" + "00" * 32}).encode()
        else:
            request = urllib.request.Request(sys.argv[2], body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=20) as answer:
                reply = answer.read()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Deaf).serve_forever()
