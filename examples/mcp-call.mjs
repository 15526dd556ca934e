// Calls one tool of an MCP server and prints its text, without any library. TARGET is a URL or the path of a unix socket.
//
//     node mcp-call.mjs http://127.0.0.1:8947/mcp list
//     node mcp-call.mjs /tmp/pp-1000/mcp.sock get_output '{"process": "web", "lines": 5}'
import { request } from "node:http";

const [target, tool, args = "{}"] = process.argv.slice(2);
if (!tool) {
    console.error("usage: node mcp-call.mjs TARGET TOOL [ARGUMENTS-AS-JSON]");
    process.exit(2);
}
const { hostname, port, pathname, search } = new URL(target.startsWith("http") ? target : "http://localhost/mcp");
const address = target.startsWith("http")
    ? { hostname, port, path: pathname + search }
    : { socketPath: target, path: pathname };
const headers = {
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
};

function post(message) {
    return new Promise((resolve, reject) => {
        const call = request({ ...address, method: "POST", headers }, (response) => {
            let body = "";
            response.setEncoding("utf8");
            response.on("data", (part) => (body += part));
            response.on("end", () => {
                if (response.statusCode >= 300) return reject(new Error(`HTTP ${response.statusCode}: ${body}`));
                const session = response.headers["mcp-session-id"];
                if (session) headers["Mcp-Session-Id"] = session;
                const reply = body ? JSON.parse(body) : undefined;
                if (reply?.id !== message.id) return reject(new Error(`not an answer to ${message.method}: ${body}`));
                resolve(reply);
            });
        });
        call.on("error", reject);
        call.end(JSON.stringify({ jsonrpc: "2.0", ...message }));
    });
}

try {
    const hello = await post({
        id: 0,
        method: "initialize",
        params: {
            protocolVersion: "2025-11-25",
            capabilities: {},
            clientInfo: { name: "mcp-call", version: "1" },
        },
    });
    headers["MCP-Protocol-Version"] = hello.result.protocolVersion;
    await post({ method: "notifications/initialized" });
    const reply = await post({ id: 1, method: "tools/call", params: { name: tool, arguments: JSON.parse(args) } });
    if (reply.error) throw new Error(reply.error.message);
    for (const part of reply.result.content) console.log(part.text.trimEnd());
    process.exitCode = reply.result.isError ? 1 : 0;
} catch (error) {
    console.error(`mcp-call: ${error.message}`);
    process.exitCode = 1;
}
