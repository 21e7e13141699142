import { describe, expect, it } from 'vitest';
import { Ledger } from '../../faults/ledger.ts';
import { readCall } from '../../faults/sqs-wire.ts';

const TASKS = 'http://sqs/000/p-tasks-step';
const RESULTS = 'http://sqs/000/p-results';

function sendOf(queueUrl: string, ...stepIds: string[]) {
  const Entries = stepIds.map((stepId, index) => ({ Id: String(index), MessageBody: JSON.stringify({ stepId, attempt: 1 }) }));
  const headers = { 'x-amz-target': 'AmazonSQS.SendMessageBatch', authorization: 'AWS4-HMAC-SHA256 Credential=lambda1/20261124/x' };
  return readCall(headers, JSON.stringify({ QueueUrl: queueUrl, Entries }));
}

/** A step that was dispatched once and ran twice. */
function ranTwice(): Ledger {
  const ledger = new Ledger();
  ledger.dispatches.dispatched('r:0', 1, 'engine1', undefined);
  ledger.executed('r:0');
  ledger.executed('r:0');
  return ledger;
}

describe('the ledger', () => {
  it('calls a repeat unexplained that nothing accounts for', () => {
    expect(ranTwice().unexplained()).toEqual([expect.stringContaining('r:0 ran 2 times for 1 dispatches')]);
  });

  it('counts the turns of a run together: a workflow cannot tell which of them it runs', () => {
    const ledger = new Ledger();
    for (const id of ['r:wf:a', 'r:wf:b', 'r.child.0:wf:c']) ledger.dispatches.dispatched(id, 1, 'engine1', undefined);
    for (const id of ['r:wf:a', 'r:wf:a', 'r.child.0:wf:c']) ledger.executed(id);
    expect(ledger.unexplained()).toEqual(['r: a turn ran 2 times for 1 dispatches and these causes: none']);
    ledger.executed('r:wf:b');
    ledger.killed(['r:wf:b']);
    expect(ledger.unexplained()).toEqual([]);
  });

  it('accounts for a repeat by a send that was cut after SQS had the task, and not by the send of a result', () => {
    const cut = ranTwice();
    cut.unanswered(sendOf(TASKS, 'r:0'));
    expect(cut.unexplained()).toEqual([]);
    const other = ranTwice();
    other.unanswered(sendOf(RESULTS, 'r:0'));
    expect(other.unexplained()).toHaveLength(1);
  });

  it('accounts for no repeat by a send that never reached SQS or by what happened to another step', () => {
    const ledger = ranTwice();
    ledger.notSent(sendOf(TASKS, 'r:0'));
    ledger.unanswered(sendOf(TASKS, 'r:1'));
    ledger.killed(['r:1']);
    expect(ledger.unexplained()).toHaveLength(1);
  });

  it('lets one cause account for one repeat only', () => {
    const ledger = ranTwice();
    ledger.killed(['r:0']);
    expect(ledger.unexplained()).toEqual([]);
    ledger.executed('r:0');
    expect(ledger.unexplained()).toHaveLength(1);
  });

  it('accounts for two repeats where a killed invocation had two tasks of the step', () => {
    const ledger = ranTwice();
    ledger.executed('r:0');
    ledger.killed(['r:0', 'r:0']);
    expect(ledger.unexplained()).toEqual([]);
  });

  it('accounts for a repeat by a delete that SQS never saw, found by its receipt handle', () => {
    const ledger = ranTwice();
    ledger.receipts([{ MessageId: 'm', ReceiptHandle: 'h', Body: JSON.stringify({ stepId: 'r:0' }) }]);
    const body = { QueueUrl: TASKS, Entries: [{ Id: '0', ReceiptHandle: 'h' }] };
    ledger.notSent(readCall({ 'x-amz-target': 'AmazonSQS.DeleteMessageBatch' }, JSON.stringify(body)));
    expect(ledger.unexplained()).toEqual([]);
  });

  it('accounts for a repeat by a delete with a receipt that a later receive had overtaken', () => {
    const ledger = ranTwice();
    const receive = (ReceiptHandle: string) =>
      ledger.receipts([{ MessageId: 'm', ReceiptHandle, Body: JSON.stringify({ stepId: 'r:0' }) }]);
    const deletes = (ReceiptHandle: string) => {
      const body = { QueueUrl: TASKS, Entries: [{ Id: '0', ReceiptHandle }] };
      ledger.accepted(readCall({ 'x-amz-target': 'AmazonSQS.DeleteMessageBatch' }, JSON.stringify(body)), []);
    };
    receive('first');
    receive('second');
    deletes('second');
    expect(ledger.unexplained()).toHaveLength(1);
    deletes('first');
    expect(ledger.unexplained()).toEqual([]);
  });

  it('forbids a worker to give a step back that ran and whose result had no trouble', () => {
    const ledger = ranTwice();
    ledger.invocationBegins('lambda1');
    ledger.givenBack('lambda1', 'r:0', true, 0.1);
    expect(ledger.violations).toHaveLength(1);
  });

  it('allows a worker to give back a step whose result did not get through, and steps that it did not start for that', () => {
    const ledger = ranTwice();
    ledger.invocationBegins('lambda1');
    ledger.notSent(sendOf(RESULTS, 'r:0'));
    ledger.givenBack('lambda1', 'r:0', true, 0.1);
    ledger.givenBack('lambda1', 'r:1', false, 0.1);
    expect(ledger.violations).toEqual([]);
  });

  it('allows it for a step whose result still stood behind that of another, and not for one whose result SQS had accepted', () => {
    const ledger = ranTwice();
    ledger.invocationBegins('lambda1');
    ledger.notSent(sendOf(RESULTS, 'r:1'));
    ledger.givenBack('lambda1', 'r:0', true, 0.1);
    expect(ledger.violations).toEqual([]);
    ledger.accepted(sendOf(RESULTS, 'r:0'), []);
    ledger.givenBack('lambda1', 'r:0', true, 0.1);
    expect(ledger.violations).toHaveLength(1);
  });

  it('allows it where the time of the invocation was up: what ran later than what did not', () => {
    const ledger = ranTwice();
    ledger.invocationBegins('lambda1');
    ledger.givenBack('lambda1', 'r:0', true, 0.5);
    ledger.givenBack('lambda1', 'r:1', false, 0.4);
    expect(ledger.violations).toEqual([]);
    ledger.givenBack('lambda1', 'r:0', true, 0.4);
    expect(ledger.violations).toEqual(['r:0: its record was given back after 40 % of its time, although no send of its result went wrong']);
  });
});
