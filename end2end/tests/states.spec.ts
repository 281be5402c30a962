// Every page in every state passes the inspection; without script, the pages have room at every width.

import * as clerk from '../support/clerk.ts';
import { inspect, inspectLayout } from '../support/inspection.ts';
import { states, statesWithoutScript } from '../support/states.ts';
import { test } from '../support/test.ts';

test.afterEach(() => clerk.endFaults());

for (const [name, open] of Object.entries(states)) {
  test(name, async ({ page, another, complaints }) => {
    complaints.tolerate(/status of 40[134]|status of 422|status of 503|ERR_INTERNET_DISCONNECTED/);
    await inspect(await open(page, another), name);
  });
}

for (const [name, open] of Object.entries(statesWithoutScript)) {
  test(`${name}, without JavaScript`, async ({ another, complaints }) => {
    complaints.tolerate(/status of 401/);
    const page = await another({ javaScriptEnabled: false });
    await open(page);
    await inspectLayout(page, `${name}, without JavaScript`);
  });
}
