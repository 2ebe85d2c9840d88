/** Events to open pages, also while the file is busy and after a page went away. */
import { expect, test } from "bun:test";
import { Live, type Watched } from "../../src/inspector/live.js";

test("a file that is busy is greeted all the same, and looked at again", async () => {
  let isBusy = true;
  const file: Watched = {
    isGone: false,
    get dataVersion(): number {
      if (isBusy) {
        throw new Error("database is locked");
      }
      return 7;
    },
  };
  const live = new Live(file);
  const reader = live.listen()?.getReader();
  expect((await reader?.read())?.value).toStartWith("event: hello");
  isBusy = false;
  expect((await reader?.read())?.value).toBe("event: change\ndata: 7\n\n");
  live.close();
  expect((await reader?.read())?.done).toBe(true);
});

test("a page that went away is forgotten", async () => {
  const live = new Live({ isGone: false, dataVersion: 1 });
  const left = live.listen();
  const reader = live.listen()?.getReader();
  await reader?.read();
  await left?.cancel();
  live.sayChanged();
  expect((await reader?.read())?.value).toStartWith("event: change");
  live.close();
  live.close();
});
