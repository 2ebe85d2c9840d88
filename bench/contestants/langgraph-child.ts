/** LangGraph's saver in a Node process of its own: runs whole batches, and answers with how long they took. */
import { createInterface } from "node:readline";
import { plainValue, richValue } from "../harness/data.js";
import { playWholeRun, runJob } from "../harness/jobs.js";
import { collectGarbage, timed } from "../harness/time.js";
import type { Answer, Request } from "./langgraph-protocol.js";
import { LangGraphSubject } from "./langgraph-subject.js";

let opened: LangGraphSubject | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await answerTo(JSON.parse(line)).catch(
    (error: unknown): Answer => ({ error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function answerTo(request: Request): Promise<Answer> {
  switch (request.do) {
    case "open":
      opened = new LangGraphSubject(request.path, request.durability);
      return { ms: 0 };
    case "close":
      opened?.close();
      opened = undefined;
      return { ms: 0 };
    case "run":
      collectGarbage();
      return { ms: await runJob(subject(), request.job) };
    case "wholeRun":
      collectGarbage();
      return {
        ms: await playWholeRun(() => new LangGraphSubject(request.path, request.durability), request.run),
      };
    case "fillCheckpoints":
      return { ms: 0, id: await subject().fillCheckpoints(request.count, request.namespaces) };
    case "fillMessages":
      return { ms: 0, id: await subject().fillMessages(request.count) };
    case "reopen":
      return { ms: await timed(request.calls, () => reopen(request.path)) };
    case "codec":
      return { ms: await codec(request) };
  }
}

function subject(): LangGraphSubject {
  if (opened === undefined) {
    throw new Error("No file is open");
  }
  return opened;
}

/** Its schema is left in place by the first call, as our constructor does. */
async function reopen(path: string): Promise<void> {
  const saver = new LangGraphSubject(path, "normal");
  await saver.getLatestCheckpoint("none", "");
  saver.close();
}

async function codec({
  calls,
  bytes,
  isRich,
  direction,
}: Extract<Request, { do: "codec" }>): Promise<number> {
  const { serde } = subject().saver;
  const value = isRich ? richValue(bytes) : plainValue(bytes);
  const [type, text] = await serde.dumpsTyped(value);
  collectGarbage();
  return direction === "serialize"
    ? timed(calls, () => serde.dumpsTyped(value))
    : timed(calls, () => serde.loadsTyped(type, text));
}
