/** Places in the page for what is in a file. */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";

export interface Places {
  session: (title: string) => string;
  /** The place of each view, for a session that has forks and loops. */
  views: (title: string) => Record<string, string>;
}

/** Reads which ids the titles have. */
export async function placesIn(path: string): Promise<Places> {
  await using store = new SqliteCheckpointStore(path, { readonly: true });
  const sessions = await store.listSessions();
  const ends = new Map<string, [first: string, last: string]>();
  for (const { id } of sessions) {
    const checkpoints = await store.listCheckpoints(id, { namespace: "" });
    ends.set(id, [checkpoints.at(-1)?.id ?? "", checkpoints[0]?.id ?? ""]);
  }
  const idOf = (title: string) => {
    const id = sessions.find((session) => session.title === title)?.id;
    if (id === undefined) {
      throw new Error(`The file has no session ${JSON.stringify(title)}.`);
    }
    return id;
  };
  return {
    session: (title) => `#/session/${idOf(title)}`,
    views: (title) => {
      const id = idOf(title);
      const [first = "", last = ""] = ends.get(id) ?? [];
      return {
        sessions: "#/",
        session: `#/session/${id}`,
        checkpoint: `#/session/${id}/checkpoint/${first}`,
        differences: `#/compare/${first}/${last}`,
        "fork tree": `#/session/${id}/forks`,
        growth: "#/growth",
      };
    },
  };
}
