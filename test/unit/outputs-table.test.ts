/** What the table of outputs deletes when it is swept, and what it then believes to be in the file. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Connection } from "../../src/database/connection.js";
import { IN_MEMORY } from "../../src/database/connection.js";
import { openFile } from "../../src/database/opening.js";
import { StorageError } from "../../src/errors.js";
import type { SharedOutput } from "../../src/outputs/node-results.js";
import { hashOf } from "../../src/outputs/pieces.js";
import { bootstrapSchema } from "../../src/schema/bootstrap.js";
import { OutputsTable } from "../../src/tables/outputs.js";
import { settingsOf } from "../../src/validation/options.js";
import { longText, referenceTo, storedOutputs } from "../support/large-outputs.js";

const settings = settingsOf({}, false);
let connection: Connection;
let table: OutputsTable;

beforeEach(() => {
  connection = openFile(IN_MEMORY, settings, (opened) => bootstrapSchema(opened, settings));
  table = new OutputsTable(connection);
  for (const id of ["s", "other"]) {
    connection.queryOnce(
      "INSERT INTO sessions (id, directory, created_at, updated_at) VALUES (?, './d', 1, 1)",
      id,
    );
  }
});

afterEach(() => connection.close());

function shared(output: unknown): SharedOutput {
  const text = JSON.stringify(output);
  return { hash: hashOf(text), text: () => text };
}

/** As a row of the session would have it, whose nodes' outputs are these. */
function insertCheckpoint(id: string, sessionId: string, nodeResults: string | Uint8Array): void {
  connection.queryOnce(
    "INSERT INTO checkpoints (id, session_id, version, step, node_results, created_at) VALUES (?1, ?2, ?1, 0, ?3, 1)",
    id,
    sessionId,
    nodeResults,
  );
}

const referring = ({ hash }: SharedOutput) => `{"a":{"status":"completed","output":${referenceTo(hash)}}}`;

function hashesOf(sessionId: string): string[] {
  const rows = storedOutputs(connection.database).filter((row) => row.session_id === sessionId);
  return rows.map(({ hash }) => hash).sort();
}

describe("a sweep", () => {
  test("keeps what checkpoints of the session refer to, with its pieces, and all of other sessions", () => {
    const [kept, unused] = [shared(longText(1, 50_000)), shared(longText(2, 50_000))];
    table.insertMissing("s", [kept]);
    const expected = hashesOf("s");
    table.insertMissing("s", [unused, shared(longText(3))]);
    table.insertMissing("other", [unused]);
    const others = hashesOf("other");
    insertCheckpoint("1", "s", referring(kept));
    insertCheckpoint("2", "other", referring(unused));
    table.deleteUnused("s");
    expect(expected.length).toBeGreaterThan(5);
    expect(hashesOf("s")).toEqual(expected);
    expect(hashesOf("other")).toEqual(others);
  });

  test("finds references in a row that is wrapped because a node is called __type", () => {
    const output = shared(longText(1));
    table.insertMissing("s", [output]);
    const nodes = `{"__type":{"status":"completed","output":${referenceTo(output.hash)}}}`;
    insertCheckpoint("1", "s", `{"__type":"js:object","value":${nodes}}`);
    table.deleteUnused("s");
    expect(hashesOf("s")).toEqual([output.hash]);
  });

  test("keeps a piece that another output shares, and one that is an output itself", () => {
    const text = longText(1, 50_000);
    const [kept, unused] = [shared(`${text} kept`), shared(`${text} unused`)];
    table.insertMissing("s", [kept]);
    const expected = hashesOf("s");
    table.insertMissing("s", [unused]);
    insertCheckpoint("1", "s", referring(kept));
    table.deleteUnused("s");
    expect(hashesOf("s")).toEqual(expected);
  });

  test("deletes all if no checkpoint is left, or none refers to an output", () => {
    table.insertMissing("s", [shared(longText(1)), shared(longText(2, 50_000))]);
    insertCheckpoint("1", "s", '{"a":{"status":"completed","output":"small"}}');
    insertCheckpoint("2", "s", "damaged");
    insertCheckpoint("3", "s", '{"__type":"js:object","value":"no object of nodes"}');
    table.deleteUnused("s");
    expect(hashesOf("s")).toEqual([]);
  });

  test.each<[string, (row: string, hash: string) => string | Uint8Array]>([
    ["is cut behind it", (row, hash) => row.slice(0, row.indexOf(hash) + hash.length)],
    ["lost what is before it", (row, hash) => row.slice(row.indexOf(hash))],
    ["has another key before it", (row) => row.replace('"output"', '"outpuT"')],
    ["has a letter instead of the quote before it", (row, hash) => row.replace(`"${hash}`, `x${hash}`)],
    ["has a letter instead of the quote behind it", (row, hash) => row.replace(`${hash}"`, `${hash}x`)],
    ["has a zero byte before it", (row) => row.replace("status", "sta\0us")],
    ["became a BLOB", (row) => new TextEncoder().encode(row)],
    ["is no UTF-8", (row) => new TextEncoder().encode(row).with(3, 0xff)],
  ])("keeps what a row refers to that %s", (_, damage) => {
    const output = shared(longText(1, 50_000));
    table.insertMissing("s", [output]);
    const expected = hashesOf("s");
    insertCheckpoint("1", "s", damage(referring(output), output.hash));
    table.deleteUnused("s");
    expect(hashesOf("s")).toEqual(expected);
  });

  test.each([
    ["is cut", "substr(pieces, 1, length(pieces) - 10)", 1],
    ["does not begin as one", "'x' || substr(pieces, 2)", 0],
    ["became a BLOB", "CAST(pieces AS BLOB)", 0],
  ])("keeps the pieces in a list that %s", (_, damaged, lost) => {
    const output = shared(longText(1, 50_000));
    table.insertMissing("s", [output]);
    const expected = hashesOf("s");
    insertCheckpoint("1", "s", referring(output));
    connection.queryOnce(`UPDATE checkpoint_sqlite_outputs SET pieces = ${damaged} WHERE pieces IS NOT NULL`);
    table.deleteUnused("s");
    expect(hashesOf("s")).toHaveLength(expected.length - lost);
    expect(expected).toEqual(expect.arrayContaining(hashesOf("s")));
  });

  test("works with the largest rowids, and leaves a row whose hash became a BLOB", () => {
    const kept = shared(longText(1));
    table.insertMissing("s", [kept, shared(longText(2)), shared(longText(3))]);
    insertCheckpoint("1", "s", referring(kept));
    connection.queryOnce("UPDATE checkpoints SET rowid = 9223372036854775807");
    connection.queryOnce("UPDATE checkpoint_sqlite_outputs SET rowid = 9223372036854775807 WHERE rowid = 2");
    connection.queryOnce("UPDATE checkpoint_sqlite_outputs SET hash = CAST(hash AS BLOB) WHERE rowid = 3");
    table.deleteUnused("s");
    expect(hashesOf("s").map(String).toSorted()).toHaveLength(2);
    expect(hashesOf("s")).toContain(kept.hash);
  });

  test("deletes no more than it is told to, and says whether that was all", () => {
    table.insertMissing(
      "s",
      [1, 2, 3].map((seed) => shared(longText(seed))),
    );
    insertCheckpoint("1", "s", "{}");
    expect(table.deleteUnused("s", 2)).toEqual({ checkpointsRead: 1, isDone: false });
    expect(hashesOf("s")).toHaveLength(1);
    expect(table.deleteUnused("s", 2)).toEqual({ checkpointsRead: 1, isDone: true });
    expect(hashesOf("s")).toEqual([]);
  });

  test("leaves no list of pieces without its pieces: an output that is saved again in between is whole", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const output = shared(longText(seed, 60_000));
      const other = shared(longText(seed + 100, 60_000));
      table.insertMissing("s", [output, other]);
      table.deleteUnused("s", 3);
      table.insertMissing("s", [output, other]);
      expect([...table.texts("s", new Set([output.hash, other.hash])).keys()].toSorted()).toEqual(
        [output.hash, other.hash].toSorted(),
      );
      table.deleteUnused("s");
    }
  });

  test("is an error if a trigger ignores the deletion", () => {
    table.insertMissing("s", [shared(longText(1))]);
    connection.queryOnce(
      "CREATE TRIGGER t BEFORE DELETE ON checkpoint_sqlite_outputs BEGIN SELECT raise(IGNORE); END",
    );
    expect(() => table.deleteUnused("s")).toThrow(StorageError);
  });
});

describe("what is believed to be in the file", () => {
  test("is not what a sweep of the same transaction has deleted: it is stored again", () => {
    const outputs = [shared(longText(1))];
    table.insertMissing("s", outputs);
    table.deleteUnused("s");
    table.remember("s", outputs);
    expect(hashesOf("s")).toEqual([]);
    table.insertMissing("s", [...outputs]);
    expect(hashesOf("s")).toEqual(outputs.map(({ hash }) => hash));
  });

  test("is not what an earlier sweep has deleted", () => {
    const outputs = [shared(longText(1))];
    table.insertMissing("s", outputs);
    table.remember("s", outputs);
    table.deleteUnused("s");
    table.insertMissing("s", [...outputs]);
    expect(hashesOf("s")).toEqual(outputs.map(({ hash }) => hash));
  });

  test("is not what was only inserted: nobody has said that it was committed", () => {
    const outputs = [shared(longText(1))];
    connection.queryOnce("BEGIN");
    table.insertMissing("s", outputs);
    connection.queryOnce("ROLLBACK");
    table.insertMissing("s", [...outputs]);
    expect(hashesOf("s")).toEqual(outputs.map(({ hash }) => hash));
  });
});
