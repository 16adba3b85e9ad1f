// Opens Socket.IO clients of one way of connecting, watches one conversation with each, and prints as JSON what each
// got: one line {"ready": n} when all are live, one line of results when all have the last number or time is up.
import { io } from "socket.io-client";

const task = JSON.parse(process.argv[2]);
const transports = {
  default: ["polling", "websocket"],
  websocket: ["websocket"],
  polling: ["polling"],
};
const results = [];
const finished = [];
const live = [];

for (const mode of task.modes) {
  for (let n = 0; n < task.each; n++) {
    const result = { mode, numbers: [], transport: null, error: null };
    results.push(result);
    const socket = io(task.url, {
      auth: { token: task.token },
      transports: transports[mode],
      forceNew: true,
      reconnection: false,
    });
    live.push(
      new Promise((resolve) => {
        socket.on("connect_error", (error) => {
          result.error = error.data ?? String(error);
          resolve();
        });
        socket.on("connect", async () => {
          const command = { id: 1, do: "watch", conversation_id: task.conversation_id };
          const answer = await socket.emitWithAck("command", command);
          result.answer = answer;
          resolve();
        });
      }),
    );
    finished.push(
      new Promise((resolve) => {
        socket.on("frame", (frame) => {
          if (frame.stream !== task.conversation_id) return;
          result.numbers.push(frame.number ?? `${frame.type}`);
          if (frame.number === task.last) resolve();
        });
        setTimeout(resolve, task.timeout_ms);
      }).then(() => {
        result.transport = socket.io.engine?.transport.name;
        socket.close();
      }),
    );
  }
}

await Promise.all(live);
console.log(JSON.stringify({ ready: results.length }));
await Promise.all(finished);
console.log(JSON.stringify(results));
process.exit(0);
