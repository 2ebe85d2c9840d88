import { Database, type SQLQueryBindings } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bindingSpareMarks } from "../../src/database/byte-order-marks.js";
import type { PreparedStatement, Row } from "../../src/database/connection.js";

/** Bun before 1.4.4 loses one mark of each of these, later ones none. */
const isOneMarkDropped = Bun.semver.order(Bun.version, "1.4.4") < 0;

const spare = isOneMarkDropped ? "" : "\ufeff";

const bound: readonly [SQLQueryBindings, string | number | Uint8Array | null][] = [
  ["\ufeff", `${spare}\ufeff`],
  ["\ufeffa", `${spare}\ufeffa`],
  ["\ufeff\ufeffa", `${spare}\ufeff\ufeffa`],
  ["\ufffea", `${spare}\ufffea`],
  ["", ""],
  ["a\ufeff", "a\ufeff"],
  ["a\ufffe", "a\ufffe"],
  [null, null],
  [65279, 65279],
  [new Uint8Array([0xef, 0xbb, 0xbf]), new Uint8Array([0xef, 0xbb, 0xbf])],
];

describe("a statement that binds spare byte order marks", () => {
  let database: Database;
  let statement: PreparedStatement;
  beforeAll(() => {
    database = new Database(":memory:", { strict: true });
    statement = bindingSpareMarks(
      database.prepare<Row, SQLQueryBindings[]>("SELECT ?1 AS value, ?2 AS other"),
    );
  });
  afterAll(() => database.close());

  test.each(bound)(
    "has one more before a text that begins with one, plain or swapped: %p",
    (given, found) => {
      expect(statement.get(given, given)).toEqual({ value: found, other: found });
      expect(statement.all("x", given)).toEqual([{ value: "x", other: found }]);
      expect(statement.values(given, "x")).toEqual([[found, "x"]]);
      expect([...statement.iterate(given, "x")]).toEqual([{ value: found, other: "x" }]);
    },
  );

  test("does so when it writes", () => {
    database.run("CREATE TABLE texts (value TEXT)");
    const insert = bindingSpareMarks(
      database.prepare<Row, SQLQueryBindings[]>("INSERT INTO texts VALUES (?1)"),
    );
    expect(insert.run("\ufffea").changes).toBe(1);
    expect(database.query("SELECT value FROM texts").values()).toEqual([[`${spare}\ufffea`]]);
  });
});
