/** Works on a file in a process of its own, and prints the most memory that it was resident with, in bytes. */
import { openStore, STORES } from "../contestants/contestant.js";
import { checkpointOf, messageOf } from "../harness/data.js";
import { sessionId } from "../harness/fill.js";

const [, , contestant, path = "", sessions, calls] = process.argv;
const name = STORES.find((store) => store === contestant);
if (name === undefined) {
  throw new Error(`${contestant} is not a contestant`);
}

const subject = await openStore(name, path, "normal");
let peak = 0;
for (let index = 0; index < Number(calls); index++) {
  const session = sessionId((index * 7_919) % Number(sessions));
  await subject.getLatestCheckpoint(session, "research");
  await subject.addMessage(session, messageOf(session, index));
  await subject.getMessages(session, { limit: 20 });
  if (index % 4 === 0) {
    // A version that no earlier round has taken.
    await subject.saveCheckpoint(checkpointOf("middle", session, Date.now() + index));
  }
  peak = Math.max(peak, process.memoryUsage.rss());
}
await subject.close();
console.log(peak);
