// A web server to try pp with: says its address, then a line per request. `node web-server.mjs [PORT]`, 0 takes a free one.
import { createServer } from "node:http";

let count = 0;
const server = createServer((request, response) => {
    console.log(`${++count} ${request.method} ${request.url}`);
    response.setHeader("Content-Type", "text/plain");
    response.end(`hello from pid ${process.pid}, request ${count}\n`);
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
    console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
process.on("SIGTERM", () => {
    console.log(`ends after ${count} requests`);
    process.exit(0);
});
