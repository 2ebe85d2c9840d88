/** The list of sessions: the order is read once per state of the file, the rows of a page when it is asked for. */
import type { Row } from "../../database/connection.js";
import { nextTurn } from "../../runtime/event-loop.js";
import type { SessionItem, SessionsAnswer } from "../answers.js";
import { latestId, stateOf } from "./checkpoint-row.js";
import { counted, type InspectedFile, numberOf, optionalTextOf, textOf } from "./file.js";
import { MOST_SIZED } from "./statements.js";

export interface SessionsQuery {
  search: string;
  /** `undefined`: every workspace; `null`: sessions without one. */
  workspace: string | null | undefined;
  state: "failed" | "pending" | undefined;
  offset: number;
  limit: number;
}

/** Rows of one answer. */
export const LARGEST_PAGE = 200;

/** Orders that are kept, each 8 bytes a session. */
const MOST_ORDERS = 4;

/** Only the newest are looked at for a state, because each costs a read of its latest checkpoint. */
const MOST_LOOKED_AT = 5_000;

const SESSIONS_PER_TURN = 200;

/** The start of a list is read by itself: to sort all takes ten times as long. */
const FIRST_ROWS = 1_000;

interface Order {
  dataVersion: number;
  /** All, or the first of them. */
  rowids: Float64Array;
  total: number;
  lookedAt?: number;
}

export class SessionList {
  readonly #file: InspectedFile;
  readonly #items: SessionItems;
  readonly #orders = new Map<string, Order>();

  constructor(file: InspectedFile, items: SessionItems) {
    this.#file = file;
    this.#items = items;
  }

  async page(query: SessionsQuery, signal: AbortSignal): Promise<SessionsAnswer> {
    const { rowids, total, lookedAt } = await this.#order(query, signal);
    const page = rowids.subarray(query.offset, query.offset + Math.min(query.limit, LARGEST_PAGE));
    const items = this.#file.read(() =>
      Array.from(page).flatMap((rowid) => {
        const row = this.#file.statements.sessionAt.get(rowid);
        return row === null ? [] : [this.#items.of(row)];
      }),
    );
    return {
      total,
      offset: query.offset,
      items,
      ...(lookedAt === undefined ? {} : { lookedAt }),
    };
  }

  async #order(query: SessionsQuery, signal: AbortSignal): Promise<Order> {
    const { search, workspace, state } = query;
    const key = JSON.stringify([search, workspace ?? null, workspace === undefined, state]);
    const { dataVersion } = this.#file;
    const known = this.#orders.get(key);
    const isEnough =
      known !== undefined &&
      (known.rowids.length === known.total || query.offset + query.limit <= known.rowids.length);
    if (known?.dataVersion === dataVersion && isEnough) {
      return known;
    }
    const found = this.#find(query);
    const order: Order = {
      dataVersion,
      ...(state === undefined ? found : await this.#inState(found, state, signal)),
    };
    this.#orders.delete(key);
    this.#orders.set(key, order);
    for (const oldest of [...this.#orders.keys()].slice(0, -MOST_ORDERS)) {
      this.#orders.delete(oldest);
    }
    return order;
  }

  #find({ search, workspace, state, offset, limit }: SessionsQuery): Pick<Order, "rowids" | "total"> {
    const { statements } = this.#file;
    if (search !== "") {
      const rowids = rowidsOf(
        statements.search.values(lowered(search), workspace === undefined ? 0 : 1, workspace ?? null),
      );
      return { rowids, total: rowids.length };
    }
    const most = state !== undefined ? MOST_LOOKED_AT : offset + limit <= FIRST_ROWS ? FIRST_ROWS : ALL;
    return workspace === undefined
      ? {
          rowids: rowidsOf(statements.order.values(most)),
          total: numberOf(statements.countSessions.get()?.count),
        }
      : {
          rowids: rowidsOf(statements.orderInWorkspace.values(most, workspace)),
          total: numberOf(statements.countInWorkspace.get(workspace)?.count),
        };
  }

  async #inState(
    { rowids, total }: Pick<Order, "rowids" | "total">,
    state: string,
    signal: AbortSignal,
  ): Promise<Omit<Order, "dataVersion">> {
    const found: number[] = [];
    const newest = rowids.subarray(0, MOST_LOOKED_AT);
    for (const [index, rowid] of newest.entries()) {
      if (index % SESSIONS_PER_TURN === SESSIONS_PER_TURN - 1) {
        await nextTurn();
        signal.throwIfAborted();
      }
      const id = this.#file.statements.sessionAt.get(rowid)?.id;
      if (id !== undefined && stateOf(this.#file, textOf(id)).state === state) {
        found.push(rowid);
      }
    }
    const all = { rowids: Float64Array.from(found), total: found.length };
    return total > newest.length ? { ...all, lookedAt: newest.length } : all;
  }
}

const ALL = -1;

/** As SQLite's lower() does: other letters than those of ASCII stay as they are. */
function lowered(search: string): string {
  return search.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function rowidsOf(rows: readonly unknown[][]): Float64Array {
  return Float64Array.from(rows, ([rowid]) => Number(rowid));
}

/** Items whose sizes and states are kept, because a list is read again whenever the file changed. */
const MOST_KNOWN = 1_000;

/** What costs most of an item. */
type Measured = Pick<SessionItem, "bytes" | "state" | "nodes" | "unread">;

export class SessionItems {
  readonly #file: InspectedFile;
  readonly #known = new Map<string, { version: string; measured: Measured }>();

  constructor(file: InspectedFile) {
    this.#file = file;
  }

  of(row: Row): SessionItem {
    const { statements } = this.#file;
    const id = textOf(row.id);
    const messages = counted(statements.countMessages.get(id)?.count);
    const checkpoints = counted(statements.countCheckpoints.get(id)?.count);
    const latest = latestId(this.#file, id);
    const version = JSON.stringify([row.updated_at, messages, checkpoints, latest]);
    return { ...toPlainItem(row), id, messages, checkpoints, ...this.#measured(id, version) };
  }

  #measured(id: string, version: string): Measured {
    const known = this.#known.get(id);
    if (known?.version === version) {
      return known.measured;
    }
    const measured = measure(this.#file, id);
    this.#known.delete(id);
    this.#known.set(id, { version, measured });
    for (const oldest of [...this.#known.keys()].slice(0, -MOST_KNOWN)) {
      this.#known.delete(oldest);
    }
    return measured;
  }
}

function measure(file: InspectedFile, id: string): Measured {
  const { statements } = file;
  const sizes = [
    statements.checkpointSizes.get(id),
    statements.messageSizes.get(id),
    file.outputs?.outputSizes.get(id),
  ];
  return {
    bytes: {
      value: sizes.reduce((sum, size) => sum + numberOf(size?.bytes), 0),
      isCut: sizes.some((size) => numberOf(size?.count) > MOST_SIZED),
    },
    ...stateOf(file, id),
  };
}

function toPlainItem(row: Row) {
  return {
    title: optionalTextOf(row.title)?.slice(0, LONGEST_TITLE) ?? null,
    workspaceId: optionalTextOf(row.workspace_id),
    directory: textOf(row.directory).slice(0, LONGEST_TITLE),
    createdAt: numberOf(row.created_at),
    updatedAt: numberOf(row.updated_at),
  };
}

export const LONGEST_TITLE = 1_000;
