/** Makes this process kill itself at a point of the write path, by wrapping the statements as they are prepared. */
import { Database } from "bun:sqlite";
import type { WriterSettings } from "./writes.js";

type Method = (...parameters: unknown[]) => unknown;

/** To be called before a store is opened. */
export function killAt(kill: NonNullable<WriterSettings["kill"]>): void {
  const watch = new Watch(kill);
  const prepare: unknown = Database.prototype.prepare;
  if (typeof prepare !== "function") throw new TypeError("Database has no prepare");
  Reflect.set(Database.prototype, "prepare", function (this: Database, sql: string, ...rest: unknown[]) {
    const statement: object = Reflect.apply(prepare, this, [sql, ...rest]);
    for (const method of ["run", "get", "all"]) wrap(statement, method, sql, watch);
    return statement;
  });
}

function wrap(statement: object, method: string, sql: string, watch: Watch): void {
  const original: Method = Reflect.get(statement, method);
  Reflect.set(statement, method, function (this: object, ...parameters: unknown[]) {
    watch.before(method, sql);
    const result: unknown = Reflect.apply(original, this, parameters);
    watch.after(sql);
    return result;
  });
}

class Watch {
  #transaction = 0;
  #statement = 0;

  constructor(readonly kill: NonNullable<WriterSettings["kill"]>) {}

  before(method: string, sql: string): void {
    // The schema's statements are run by `all`, those of the write path never are.
    if (method === "all") {
      this.#dieAt("before the schema's COMMIT", sql === "COMMIT");
    } else if (sql === "BEGIN IMMEDIATE") {
      this.#transaction += 1;
      this.#statement = 0;
      this.#dieAt("before BEGIN", this.#isTransaction());
    } else if (sql === "COMMIT") {
      this.#dieAt("before COMMIT", this.#isTransaction());
      // Of a short transaction there is no such statement.
      this.#dieAt("between two statements", this.#isTransaction());
    } else {
      this.#statement += 1;
      const isStatement = this.#statement > this.kill.statement;
      this.#dieAt("between two statements", this.#isTransaction() && isStatement);
    }
  }

  after(sql: string): void {
    this.#dieAt("after COMMIT", sql === "COMMIT" && this.#isTransaction());
  }

  #isTransaction(): boolean {
    return this.#transaction === this.kill.transaction;
  }

  #dieAt(point: string, isReached: boolean): void {
    if (isReached && this.kill.point === point) process.kill(process.pid, "SIGKILL");
  }
}
