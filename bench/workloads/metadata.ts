import { STORES, type StoreName } from "../contestants/contestant.js";
import type { StoreSubject } from "../contestants/subject.js";
import { plainValue, richValue, type ValueSize } from "../harness/data.js";
import type { Lane, Row, Target } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { OpenStores } from "./files.js";
import type { Workload } from "./workload.js";

const SIZES: readonly ValueSize[] = [1_000, 100_000, 5_000_000];
const NAMES: Record<ValueSize, string> = { 1000: "1 KB", 100000: "100 KB", 5000000: "5 MB" };

export const metadata: Workload = {
  name: "metadata",
  title: "The wire format through the store",
  about:
    "Serialize: updateSession with metadata. Deserialize: getSession. All in `:memory:`, less what the same call takes with `{}`, so " +
    "that little but the wire format is left. The floor keeps no Dates, Maps and Sets.",
  async run(bench) {
    await using stores = new OpenStores();
    const names = STORES.filter((name) => name !== "0.2.3+WAL");
    for (const isRich of [false, true]) {
      for (const bytes of bench.isQuick ? SIZES.slice(0, 2) : SIZES) {
        const kept = names.filter((name) => !(isRich && name === "floor"));
        await bench.measure(await rows(stores, kept, bytes, isRich));
      }
    }
  },
};

async function rows(
  stores: OpenStores,
  names: readonly StoreName[],
  bytes: ValueSize,
  isRich: boolean,
): Promise<Row[]> {
  const value = isRich ? richValue(bytes) : plainValue(bytes);
  const writes: Lane[] = [];
  const reads: Lane[] = [];
  for (const name of names) {
    const { write, read } = await lanes(name, await stores.open(name, ":memory:", "normal"), value);
    writes.push(write);
    reads.push(read);
  }
  const what = `${NAMES[bytes]} ${isRich ? "of Dates, Maps and Sets" : "plain"}`;
  const targets: Target[] = isRich ? [] : [{ kind: "faster", than: "0.2.3", times: 3 }];
  return [
    { label: `serialize ${what}`, lanes: writes, targets, isHeadline: isHeadline(bytes, isRich) },
    { label: `deserialize ${what}`, lanes: reads, targets, isHeadline: isHeadline(bytes, isRich) },
  ];
}

function isHeadline(bytes: ValueSize, isRich: boolean): boolean {
  return bytes === 100_000 && !isRich;
}

async function lanes(
  contestant: StoreName,
  subject: StoreSubject,
  value: Record<string, unknown>,
): Promise<{ write: Lane; read: Lane }> {
  const { id } = await subject.createSession("./project");
  const { id: emptyId } = await subject.createSession("./project");
  const write = (sessionId: string, metadata: Record<string, unknown>) => (calls: number) =>
    timed(calls, () => subject.updateSession(sessionId, { metadata }));
  const read = (sessionId: string) => (calls: number) => timed(calls, () => subject.getSession(sessionId));
  await subject.updateSession(id, { metadata: value });
  await subject.updateSession(emptyId, { metadata: {} });
  return {
    write: { contestant, round: beyond(write(id, value), write(emptyId, {})) },
    read: { contestant, round: beyond(read(id), read(emptyId)) },
  };
}

/** What a round takes beyond another. */
function beyond(whole: Lane["round"], base: Lane["round"]): Lane["round"] {
  return async (calls) => (await whole(calls)) - (await base(calls));
}
