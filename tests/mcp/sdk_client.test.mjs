// A person's agent, by the official SDK: what is asked of a running hub, and what comes back.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { call, Installation, refusal, textOf } from "./installation.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const counter = { command: ["sh", join(here, "counter.sh")], working_directory: here };

let pp;
before(async () => (pp = await Installation.make()));
after(async () => pp?.remove());

const lines = (from, to, step = 1) => {
    let text = "";
    for (let i = from; i <= to; i += step) text += `line ${i}\n`;
    return text;
};
const sorted = (text) => text.split("\n").sort();

/// Until the clock has gone on by more than the millisecond in which times are told.
async function later() {
    const begin = Date.now();
    do await setTimeout(2);
    while (Date.now() < begin + 2);
}

/// A moment that lies behind all that was written so far and before all that will be.
async function moment() {
    await later();
    const now = new Date().toISOString();
    await later();
    return now;
}

/// start is ensure: on a live process it joins it, and waits until that has settled.
async function startCounter(client, name, options = {}) {
    for (;;) {
        const started = await call(client, "start", {
            ...counter,
            name,
            wait: { for: "settled", timeout: 30 },
            options: { stdin: "pipe", ...options },
        });
        assert.equal(started.ended, false);
        if (started.output.includes("line 9\n") && started.output.includes("line 10\n")) return started;
    }
}

test("initialize and tools/list", async () => {
    const client = await pp.client();
    assert.equal(client.getServerVersion().name, "pp");
    assert.equal(client.transport.protocolVersion, "2025-11-25");
    assert.ok(client.getInstructions().length > 0);
    assert.deepEqual(await client.ping(), {});

    const { tools } = await client.listTools();
    const names = tools.map((tool) => tool.name);
    for (const name of ["start", "list", "get_status", "stop", "restart", "get_output", "search_logs", "send_input"])
        assert.ok(names.includes(name), `${name} is not listed`);
    assert.ok(!names.includes("shutdown"));
    for (const tool of tools) {
        assert.equal(tool.inputSchema.type, "object");
        assert.equal(tool.outputSchema.type, "object", `${tool.name} has no output schema`);
        assert.ok(tool.title && tool.description.length <= 600, `${tool.name} is not described in 600 characters`);
        assert.ok(JSON.stringify(tool).length <= 5000, `${tool.name} is larger than 5 KB`);
        assert.equal(typeof tool.annotations.readOnlyHint, "boolean");
    }
    assert.ok(JSON.stringify(tools).length <= 20_000, "tools/list is larger than 20 KB");

    const everything = await (await pp.client({ tools: "all" })).listTools();
    for (const name of ["get_log_paths", "clear", "shutdown", ...names])
        assert.ok(everything.tools.some((tool) => tool.name === name), `${name} is not listed by ?tools=all`);
});

test("a counter from start to clear", async () => {
    const client = await pp.client();

    const first = (await startCounter(client, "counter", { label: "the counter" })).process;
    assert.equal(first.state, "running");
    assert.equal(first.run, 1);
    assert.equal(first.label, "the counter");
    assert.equal(first.owner.kind, "agent");
    const again = await call(client, "start", { ...counter, name: "counter" });
    assert.equal(again.already_running, true);
    assert.equal(again.process.pid, first.pid);

    const { processes } = await call(client, "list");
    assert.deepEqual(processes.filter((one) => one.name === "counter").map((one) => one.id), [first.id]);

    const output = (args) => call(client, "get_output", { process: "counter", ...args });
    assert.equal((await output({ stream: "stdout" })).output, lines(1, 9, 2));
    assert.equal((await output({ stream: "stdout", log: "out" })).output, lines(1, 9, 2));
    assert.equal((await output({ stream: "stderr" })).output, lines(2, 10, 2));
    const combined = await output({});
    assert.deepEqual(sorted(combined.output), sorted(lines(1, 10)));
    assert.equal(combined.lost_bytes, 0);
    assert.equal((await output({ stream: "stdout", lines: 2 })).output, lines(7, 9, 2));
    assert.equal((await output({ stream: "stderr", lines: 0 })).output, "");

    const middle = await moment();
    const input = await call(client, "send_input", { process: "counter", text: "go", enter: true });
    assert.equal(input.taken, 3);
    await assert.rejects(pp.pp("wait", "counter"), { code: 7 });

    assert.deepEqual(sorted((await output({ cursor: combined.cursor })).output), sorted(lines(11, 20)));
    assert.equal((await output({ stream: "stdout", since_time: middle })).output, lines(11, 19, 2));
    assert.equal((await output({ stream: "stderr", before_time: middle })).output, lines(2, 10, 2));
    assert.equal((await output({ since_time: "1h", before_time: "30m" })).output, "");

    const ended = await call(client, "get_status", { process: "counter" });
    assert.equal(ended.process.state, "finished");
    assert.equal(ended.process.outcome, "failed");
    assert.equal(ended.process.exit_code, 7);
    assert.equal(ended.runs[0].exit_code, 7);

    const second = await call(client, "restart", { process: "counter" });
    assert.equal(second.process.id, first.id);
    assert.equal(second.process.label, "the counter");
    assert.equal(second.process.run, 2);
    assert.equal(second.previous_pid, null);
    assert.notEqual(second.process.pid, first.pid);
    const third = await call(client, "restart", { process: first.id });
    assert.equal(third.process.run, 3);
    assert.equal(third.process.label, "the counter");
    assert.equal(third.previous_pid, second.process.pid);
    assert.notEqual(third.process.pid, second.process.pid);
    assert.equal((await output({ stream: "stdout", run: 1 })).output, lines(1, 19, 2));

    const running = await call(client, "get_status", { process: String(third.process.pid) });
    assert.equal(running.process.id, first.id);
    assert.ok(running.tree.some((member) => member.pid === third.process.pid));

    const paths = await call(client, "get_log_paths", { process: "counter", run: 1 });
    assert.equal(await readFile(paths.stdout, "utf8"), lines(1, 19, 2));
    assert.equal(await readFile(paths.stderr, "utf8"), lines(2, 20, 2));
    assert.deepEqual(sorted(await readFile(paths.combined, "utf8")), sorted(lines(1, 20)));

    const stopped = await call(client, "stop", { process: "counter" });
    assert.deepEqual(stopped.survivors, []);
    assert.equal(stopped.process.state, "finished");
    assert.equal(stopped.process.outcome, "stopped");
    assert.equal((await call(client, "stop", { process: "counter" })).process.outcome, "stopped");

    assert.match(await refusal(client, "clear", {}), /all: true/);
    const { cleared } = await call(client, "clear", { process: "counter" });
    assert.deepEqual(cleared, [first.id]);
    assert.deepEqual((await call(client, "list", { name: "counter" })).processes, []);
});

test("search_logs finds lines of one process, and of the project", async () => {
    const client = await pp.client({ project: here });
    const wait = { for: "exit", timeout: 60 };
    const write = (name, text) =>
        call(client, "start", { command: ["printf", text], name, wait, working_directory: here });
    await write("searched", "one\\n\\033[31mERR\\033[0mOR two\\nthree\\nerror four\\n");
    await write("searched-too", "error five\\n");

    const one = await call(client, "search_logs", { process: "searched", pattern: "^error", ignore_case: true });
    assert.equal(one.matches, 2);
    assert.equal(one.lost_bytes, 0);
    assert.equal(one.more, false);
    assert.deepEqual(
        one.processes[0].lines.map(({ line, text, match }) => [line, text, match]),
        [
            [2, "ERROR two", [0, 5]],
            [4, "error four", [0, 5]],
        ],
    );

    const { processes } = await call(client, "search_logs", { pattern: "(four|five)$", context_lines: 1 });
    const found = processes.filter(({ name }) => name.startsWith("searched"));
    assert.deepEqual(
        found.map(({ lines }) => lines.map(({ text }) => text)),
        [["three", "error four"], ["error five"]],
    );

    const first = await call(client, "search_logs", { process: "searched", pattern: ".", head: 3 });
    assert.equal(first.more, true);
    const rest = await call(client, "search_logs", { process: "searched", pattern: ".", cursor: first.cursor });
    assert.deepEqual(rest.processes[0].lines.map(({ line }) => line), [4]);

    const nothing = await client.callTool({ name: "search_logs", arguments: { process: "searched", pattern: "x{3}" } });
    assert.match(textOf(nothing), /No line matches in searched/);
    await call(client, "clear", { process: "searched" });
    await call(client, "clear", { process: "searched-too" });
});

test("a merged run keeps the order of both streams, and has none apart", async () => {
    const client = await pp.client();
    const { output } = await startCounter(client, "merged", { streams: "merged" });
    assert.equal(output, lines(1, 10));
    assert.match(await refusal(client, "get_output", { process: "merged", stream: "stderr" }), /merged/);
    await call(client, "stop", { process: "merged", force: true });
});

test("start waits for the exit, and tells how it ended; it runs in the project's directory unless told", async () => {
    const client = await pp.client({ project: here });
    const wait = { for: "exit", timeout: 60 };
    const good = await call(client, "start", { command: "printf 'a\\nb\\n' && exit 0", wait });
    assert.equal(good.ended, true);
    assert.equal(good.output, "a\nb\n");
    assert.equal(good.process.outcome, "succeeded");
    assert.equal(good.process.working_directory, here);
    const bad = await call(client, "start", { command: ["sh", "-c", "echo no >&2; kill -SEGV $$"], wait });
    assert.equal(bad.process.outcome, "crashed");
    assert.equal(bad.process.signal, "SIGSEGV");
    assert.equal(bad.output, "no\n");
});

test("an unknown tool is an error of the protocol, all other mistakes are results that say what would be right", async () => {
    const client = await pp.client({ project: here });
    await assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} }), { code: -32602 });

    await startCounter(client, "counting");
    const cases = [
        ["get_output", { process: "countin" }, /did you mean 'counting'/],
        ["stop", { process: "no such thing at all" }, /no such thing at all/],
        ["get_output", { process: "counting", lines: -1 }, /lines/],
        ["get_output", { process: "counting", since_time: "yesterdayish" }, /since_time.*ISO|ISO.*since_time|time/],
        ["get_output", { process: "counting", stream: "stdin" }, /stream/],
        ["get_output", { process: "counting", run: 99 }, /99/],
        ["get_output", { process: "counting", log: "build" }, /no build log/],
        ["get_output", { process: "counting", log: "err" }, /log.*out/],
        ["get_output", {}, /process/],
        ["search_logs", { process: "counting", pattern: "a(b" }, /missing \)/],
        ["search_logs", { process: "counting", pattern: "" }, /empty/],
        ["search_logs", { process: "counting" }, /pattern/],
        ["search_logs", { process: "counting", pattern: "x", context_lines: -1 }, /context_lines/],
        ["search_logs", { process: "counting", pattern: "x", since_time: "noonish" }, /since_time/],
        ["search_logs", { process: "counting", pattern: "x", run: 99 }, /99/],
        ["search_logs", { pattern: "x", cursor: 5 }, /process/],
        ["start", { command: "true", working_directory: "/no/such/directory" }, /\/no\/such\/directory/],
        ["start", { command: ["no-such-program-of-pp"] }, /no-such-program-of-pp/],
        ["start", { command: [join(here, "package.json")] }, /package\.json/],
        ["start", { command: "" }, /command/],
        ["start", { command: [] }, /command/],
        ["start", { command: ["echo", "a\0b"] }, /NUL/],
        ["start", { command: ["sleep", "1000"], name: "counting" }, /counting/],
        ["start", { command: "true", wait: { for: "godot" } }, /settled/],
        ["start", { command: "true", replce: true }, /replce/],
        ["send_input", { process: "counting", text: 5 }, /text/],
        ["shutdown", {}, /leave/],
    ];
    for (const [tool, args, wanted] of cases) {
        const complaint = await refusal(client, tool, args);
        assert.match(complaint, wanted, `${tool} ${JSON.stringify(args)}`);
        assert.ok(complaint.trim().length < 400, complaint);
    }
    assert.match(await refusal(await pp.client(), "start", { command: "true" }), /working_directory/);
    assert.equal((await call(client, "list", { name: "counting" })).processes[0].state, "running");
    await call(client, "stop", { process: "counting" });
});

test("two clients whose calls have equal ids get each their own answer", async () => {
    const waiting = (word) => ({
        command: ["sh", "-c", `read -r line; echo "${word} heard $line"`],
        name: word,
        options: { stdin: "pipe" },
    });
    const a = await pp.client({ project: here });
    const b = await pp.client({ project: here });
    const helper = await pp.client({ project: here });
    const wait = { for: "exit", timeout: 60 };
    const answers = [
        call(a, "start", { ...waiting("anna"), wait }),
        call(b, "start", { ...waiting("bert"), wait }),
    ];
    for (const name of ["bert", "anna"]) {
        await call(helper, "start", { ...waiting(name), wait: { for: "none" } });
        await call(helper, "send_input", { process: name, text: `word for ${name}`, enter: true });
    }
    const [anna, bert] = await Promise.all(answers);
    assert.deepEqual(a.sent, b.sent);
    assert.equal(anna.output, "anna heard word for anna\n");
    assert.equal(bert.output, "bert heard word for bert\n");
});

test("a client that gives up ends its wait and not the process", async () => {
    const client = await pp.client();
    const { process } = await startCounter(client, "patient");
    const gone = new AbortController();
    const waiting = client.callTool(
        { name: "start", arguments: { ...counter, name: "patient", wait: { for: "exit", timeout: 600 } } },
        undefined,
        { signal: gone.signal },
    );
    gone.abort();
    await assert.rejects(waiting);
    const status = await call(client, "get_status", { process: "patient" });
    assert.equal(status.process.pid, process.pid);
    assert.equal(status.process.state, "running");
    await call(client, "stop", { process: "patient" });
});

test("a session that was ended is unknown, and so is one of an earlier hub", async () => {
    const client = await pp.client();
    const { process } = await startCounter(client, "survivor");

    const session = client.transport.sessionId;
    await client.transport.terminateSession();
    const late = new StreamableHTTPClientTransport(new URL(await pp.url()), { sessionId: session });
    await late.start();
    await assert.rejects(late.send({ jsonrpc: "2.0", id: 1, method: "ping" }), { code: 404 });
    await late.close();

    const old = await pp.client();
    const before = await pp.hub();
    await pp.pp("hub", "restart");
    assert.notEqual((await pp.hub()).pid, before.pid);
    await assert.rejects(old.ping());

    const next = new Client({ name: "next", version: "1.0" });
    await next.connect(new StreamableHTTPClientTransport(new URL(await pp.url())));
    const found = await next.callTool({ name: "get_status", arguments: { process: process.id } });
    assert.equal(found.structuredContent.process.pid, process.pid, textOf(found));
    await call(next, "stop", { process: process.id });
    await next.close();
});
