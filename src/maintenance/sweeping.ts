/** Deletes the outputs of a session that nothing refers to any more, in short transactions. */
import type { Connection } from "../database/connection.js";
import { OutputsSweep, type StoredOutput } from "../tables/outputs-sweep.js";
import { type ShortTransactions, stepOf } from "./transactions.js";

export class Sweeping {
  readonly #connection: Connection;
  readonly #sweep: OutputsSweep;
  readonly #transactions: ShortTransactions;

  constructor(connection: Connection, transactions: ShortTransactions) {
    this.#connection = connection;
    this.#sweep = new OutputsSweep(connection);
    this.#transactions = transactions;
  }

  /**
   * Looks for them before it takes the write lock, and again in the transaction only if another connection has committed since.
   *
   * @param onDeleted Called after each transaction. If it throws, no more are deleted.
   */
  async deleteUnused(
    sessionId: string,
    onDeleted: (outputs: readonly StoredOutput[]) => void,
  ): Promise<void> {
    let version = this.#readVersion();
    let { outputs } = this.#sweep.unused(sessionId);
    while (outputs.length > 0) {
      const step = await this.#transactions.run(() => {
        if (this.#readVersion() !== version) {
          version = this.#connection.dataVersion;
          outputs = this.#sweep.unused(sessionId).outputs;
        }
        const step = stepOf(outputs);
        this.#sweep.delete(sessionId, step);
        return step;
      });
      outputs = outputs.slice(step.length);
      onDeleted(step);
    }
  }

  #readVersion(): unknown {
    this.#connection.readDataVersion();
    return this.#connection.dataVersion;
  }
}
