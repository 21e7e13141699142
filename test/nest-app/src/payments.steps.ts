import { Step } from '@dudousxd/nestjs-durable';
import { Injectable } from '@nestjs/common';

export interface Charge {
  readonly orderId: string;
  readonly amountCents: number;
  readonly cardToken: string;
}

export interface Receipt {
  readonly chargeId: string;
  readonly amountCents: number;
}

/**
 * The step's name and types for `ctx.step(this.payments.chargeCard, …)`. It is a provider like any other, so Nest's
 * step registrar finds it and would serve it from here; the transport's `consumeTasks: false` leaves its tasks to
 * Lambda.
 */
@Injectable()
export class PaymentsSteps {
  @Step('payments.charge-card')
  async chargeCard(_charge: Charge): Promise<Receipt> {
    throw new Error('payments.charge-card runs on Lambda, not in this process');
  }
}
