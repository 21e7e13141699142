import { expect, it } from 'vitest';
import { payloadKey } from '../../../src/payloads/payload-key.ts';
import { encodePointer } from '../../../src/payloads/pointer.ts';
import { taskSubject } from '../../../src/step/task-subject.ts';

const step = { runId: 'r', seq: 0, name: 'pay', stepId: 'r:0', group: 'pay', input: {}, attempt: 2 };
const turn = { taskId: 'r:wf:1', runId: 'r', workflow: 'w', workflowVersion: '1', input: {}, history: [], group: 'w', attempt: 1 };
const pointer = (key: string) => encodePointer({ bucket: 'b', key });

it.each<[string, string, unknown]>([
  ['the task of a step', JSON.stringify(step), { runId: 'r', stepId: 'r:0', attempt: 2 }],
  ['a turn of a workflow', JSON.stringify(turn), { runId: 'r', stepId: 'r:wf:1', attempt: 1 }],
  [
    'a stored turn',
    pointer(payloadKey({ kind: 'turn', runId: 'r', stepId: 'r:wf:1', seq: 0 }, 'uuid')),
    { runId: 'r', stepId: 'r:wf:1', attempt: undefined },
  ],
  ['a stored body of another program', pointer('theirs'), undefined],
  ['a turn without a history', JSON.stringify({ ...turn, history: undefined }), undefined],
  ['no JSON', 'poison', undefined],
])('taskSubject tells whose a message is: %s', (_what, body, subject) => {
  expect(taskSubject(body)).toEqual(subject);
});
