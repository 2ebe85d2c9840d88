/**
 * A process that adds messages to one session for some time: `bun busy-writer.ts PATH SESSION NAME MILLISECONDS CALLS`,
 * so many calls in flight. It answers with what was acknowledged, and with how late its event loop was.
 */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { EventLoopDelay } from "../faults/support/event-loop-delay.js";

const [path = "", sessionId = "", name = "", milliseconds = "", calls = ""] = process.argv.slice(2);
const store = new SqliteCheckpointStore(path, { busyTimeout: 30_000 });

console.log("ready");
await Bun.stdin.text();

const acknowledged: string[] = [];
const end = performance.now() + Number(milliseconds);
const delay = new EventLoopDelay();
await Promise.all(Array.from({ length: Number(calls) }, (_, line) => writeOn(line)));
const delays = delay.stop();
await store.close();
console.log(JSON.stringify({ acknowledged, delays }));

async function writeOn(line: number): Promise<void> {
  for (let turn = 0; performance.now() < end; turn++) {
    const content = `${name} ${line} ${turn}`;
    const { id } = await store.addMessage(sessionId, { sessionId, role: "user", content });
    acknowledged.push(`${id} ${content}`);
  }
}
