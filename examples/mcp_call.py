"""Calls one tool of an MCP server and prints its text, without any library. TARGET is a URL or the path of a unix socket.

    python3 mcp_call.py http://127.0.0.1:8947/mcp list
    python3 mcp_call.py /tmp/pp-1000/mcp.sock get_output '{"process": "web", "lines": 5}'
"""

import http.client
import json
import socket
import sys
import urllib.parse


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Client:
    def __init__(self, target):
        url = urllib.parse.urlsplit(target if target.startswith("http") else "/mcp")
        self.connection = http.client.HTTPConnection(url.netloc) if url.netloc else UnixConnection(target)
        self.path = url.path + ("?" + url.query if url.query else "")
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

    def post(self, **message):
        self.connection.request("POST", self.path, json.dumps({"jsonrpc": "2.0", **message}), self.headers)
        response = self.connection.getresponse()
        body = response.read().decode()
        if response.status >= 300:
            raise RuntimeError(f"HTTP {response.status}: {body}")
        if session := response.headers.get("Mcp-Session-Id"):
            self.headers["Mcp-Session-Id"] = session
        reply = json.loads(body) if body else {}
        if reply.get("id") != message.get("id"):
            raise RuntimeError(f"not an answer to {message['method']}: {body}")
        return reply

    def call(self, tool, arguments):
        client = {"name": "mcp-call", "version": "1"}
        hello = self.post(id=0, method="initialize",
                          params={"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self.headers["MCP-Protocol-Version"] = hello["result"]["protocolVersion"]
        self.post(method="notifications/initialized")
        reply = self.post(id=1, method="tools/call", params={"name": tool, "arguments": arguments})
        if "error" in reply:
            raise RuntimeError(reply["error"]["message"])
        return reply["result"]


def main(words):
    if not 2 <= len(words) <= 3:
        print("usage: python3 mcp_call.py TARGET TOOL [ARGUMENTS-AS-JSON]", file=sys.stderr)
        return 2
    try:
        result = Client(words[0]).call(words[1], json.loads(words[2]) if len(words) == 3 else {})
    except (OSError, RuntimeError, ValueError) as error:
        print(f"mcp-call: {error}", file=sys.stderr)
        return 1
    for part in result["content"]:
        print(part["text"].rstrip())
    return 1 if result.get("isError") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
