/** A proxy in front of a PostgreSQL server, on a TCP port, that can cut a connection when it has seen COMMIT. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";

/** When it cuts. */
export type Moment = "before COMMIT arrives" | "before the answer to COMMIT" | "never";

const COMMIT = "COMMIT\0";

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param socket The path of the server's socket. */
  static async start(socket: string, moment: Moment): Promise<CuttingProxy> {
    const server = createServer((client) => {
      const upstream = connect(socket);
      const cut = () => {
        client.destroy();
        upstream.destroy();
      };
      let isCommitting = false;
      client.on("data", (sent) => {
        isCommitting ||= sent.toString("latin1").includes(COMMIT);
        if (isCommitting && moment === "before COMMIT arrives") cut();
        else upstream.write(sent);
      });
      upstream.on("data", (answer) => {
        if (isCommitting && moment !== "never") cut();
        else client.write(answer);
      });
      for (const end of [client, upstream]) {
        end.on("close", cut);
        end.on("error", cut);
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new CuttingProxy(server);
  }

  /** The URL of the same database through the proxy, with a password. */
  through(url: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return url.replace(/^.*@/, `postgres://obsku:secret@127.0.0.1:${port}`).replace(/\?.*$/, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, "close");
  }
}
