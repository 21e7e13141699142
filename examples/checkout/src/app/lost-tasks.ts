import { STATE_STORE, type StateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { settings } from './settings.ts';

const LOST_AFTER_MS = settings.LOST_AFTER_SECONDS * 1_000;
/** A step that no worker answers is sent no more than this. */
const MAX_ATTEMPTS = 10;

/**
 * Sends the task of a step again where none arrived: the engine died between the step's checkpoint and the send. A step
 * that is only slow runs twice then, which its idempotency key makes harmless.
 */
@Injectable()
export class LostTasks implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(LostTasks.name);
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly engine: WorkflowEngine,
    @Inject(STATE_STORE) private readonly store: StateStore,
  ) {}

  onApplicationBootstrap(): void {
    const look = () =>
      this.sendAgain()
        .catch((error: unknown) => this.logger.error(error))
        .finally(() => {
          this.timer = setTimeout(look, LOST_AFTER_MS / 4);
        });
    this.timer = setTimeout(look, LOST_AFTER_MS / 4);
  }

  onModuleDestroy(): void {
    clearTimeout(this.timer);
  }

  private async sendAgain(): Promise<void> {
    const sentBefore = Date.now() - LOST_AFTER_MS;
    for (const { id } of await this.store.listRuns({ status: 'suspended' })) {
      const waiting = (await this.store.listCheckpoints(id)).filter(({ kind, status }) => kind === 'remote' && status === 'pending');
      const lost = waiting.filter(({ enqueuedAt, attempts }) => enqueuedAt.getTime() < sentBefore && attempts < MAX_ATTEMPTS);
      if (lost.length === 0) continue;
      this.logger.warn(`run ${id}: no result of ${lost.map(({ stepId }) => stepId).join(', ')}; sending its tasks again`);
      await this.engine.redispatchPending(id);
    }
  }
}
