// The `ws` library and node-redis, two workers, a SET with expiry a message.
"use strict";

const cluster = require("node:cluster");

const WORKERS = 2;
const SESSION_TTL = 3600;

if (cluster.isPrimary) {
  for (let i = 0; i < WORKERS; i++) cluster.fork();
} else {
  serve();
}

async function serve() {
  const { WebSocketServer } = require("ws");
  const store = require("redis").createClient({ url: process.env.REDIS_URL });
  await store.connect();
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.PORT), perMessageDeflate: false });
  server.on("connection", (socket, request) => {
    const key = "session:" + new URL(request.url, "http://localhost").searchParams.get("session_id");
    let count = null; // until Redis told it
    const early = [];
    const answer = async () => {
      const mine = ++count;
      await store.set(key, mine, { EX: SESSION_TTL }); // answered in order
      socket.send(`{"count":${mine}}`);
    };
    socket.on("error", () => socket.terminate());
    socket.on("message", () => (count === null ? early.push(true) : answer()));
    store.get(key).then((stored) => {
      count = Number(stored || 0);
      early.forEach(answer);
    });
  });
}
