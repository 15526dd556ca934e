// A hub with a home of its own, and clients of it.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const run = promisify(execFile);

export class Installation {
    static async make() {
        // short: socket paths have 107 bytes
        const installation = new Installation(await mkdtemp("/tmp/pp-mcp-"));
        await installation.pp("hub", "start");
        return installation;
    }

    constructor(home) {
        this.home = home;
        this.clients = [];
    }

    /// stdout of the CLI; throws on another exit code than 0, with stderr in the message.
    async pp(...words) {
        const env = { ...process.env, PP_HOME: this.home, PP_PORT: "0" };
        const { stdout } = await run(join(process.env.PP_BIN_DIR, "pp"), words, { env, timeout: 120_000 });
        return stdout;
    }

    async url() {
        return (await this.hub()).mcp_url;
    }

    async hub() {
        return JSON.parse(await this.pp("hub", "start", "--json"));
    }

    /// A connected SDK client, of a project if one is given; `sent` collects the ids of its calls.
    async client({ name = "sdk", project, tools } = {}) {
        const client = new Client({ name, version: "1.0" });
        const url = new URL(await this.url());
        if (project) url.searchParams.set("project", project);
        if (tools) url.searchParams.set("tools", tools);
        const transport = new StreamableHTTPClientTransport(url);
        client.sent = [];
        const send = transport.send.bind(transport);
        transport.send = (message, options) => {
            if (message.method === "tools/call") client.sent.push(message.id);
            return send(message, options);
        };
        await client.connect(transport);
        await client.listTools();  // from here on results are held against the tools' output schemas
        this.clients.push(client);
        return client;
    }

    async remove() {
        for (const client of this.clients) {
            await client.transport?.terminateSession().catch(() => {});
            await client.close().catch(() => {});
        }
        await this.pp("shutdown", "--stop");
        await rm(this.home, { recursive: true, force: true });
    }
}

/// What the tool found; throws what it complains of.
export async function call(client, name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    if (result.isError) throw new Error(`${name}: ${textOf(result)}`);
    return result.structuredContent;
}

/// The complaint of a tool that must refuse.
export async function refusal(client, name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    if (!result.isError) throw new Error(`${name} should have refused: ${textOf(result)}`);
    return textOf(result);
}

export function textOf(result) {
    return result.content.map((part) => part.text ?? "").join("\n");
}
