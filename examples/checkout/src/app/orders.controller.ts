import { WorkflowService } from '@dudousxd/nestjs-durable';
import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { Body, Controller, Get, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import { Order } from '../steps.ts';
import { CheckoutWorkflow } from './checkout.workflow.ts';
import { ParsedBy } from './parsed-by.ts';

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly workflows: WorkflowService,
    private readonly engine: WorkflowEngine,
  ) {}

  /** Begins the checkout of an order. The order's id is the run's: an order that is sent twice is checked out once. */
  @Post()
  @HttpCode(202)
  async checkOut(@Body(new ParsedBy(Order)) order: Order) {
    const { runId, status } = await this.workflows.start(CheckoutWorkflow, order, order.orderId);
    return { orderId: runId, status };
  }

  @Get(':orderId')
  async state(@Param('orderId') orderId: string) {
    const run = await this.engine.getRun(orderId);
    if (run === null) throw new NotFoundException(`no order ${orderId}`);
    return { orderId, status: run.status, output: run.output, error: run.error?.message };
  }
}
