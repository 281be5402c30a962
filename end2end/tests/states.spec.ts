// Every page in every state passes the inspection.

import * as clerk from '../support/clerk.ts';
import { inspect } from '../support/inspection.ts';
import { states } from '../support/states.ts';
import { test } from '../support/test.ts';

test.afterEach(() => clerk.endFaults());

for (const [name, open] of Object.entries(states)) {
  test(name, async ({ page, another, complaints }) => {
    complaints.tolerate(/status of 40[134]|status of 422|ERR_INTERNET_DISCONNECTED/);
    await inspect(await open(page, another), name);
  });
}
