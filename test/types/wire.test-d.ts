import type * as core from '@dudousxd/nestjs-durable-core';
import { expectTypeOf } from 'vitest';
import type { RemoteTask } from '../../src/wire/remote-task.ts';
import type { StepError, StepEvent, StepResult } from '../../src/wire/step-result.ts';

// Compiled by `tsc`, never run: our copies of the engine's payload types must stay interchangeable with its own.
expectTypeOf<RemoteTask>().toExtend<core.RemoteTask>();
expectTypeOf<core.RemoteTask>().toExtend<RemoteTask>();
expectTypeOf<StepResult>().toExtend<core.StepResult>();
expectTypeOf<core.StepResult>().toExtend<StepResult>();
expectTypeOf<StepEvent>().toExtend<core.StepEvent>();
expectTypeOf<core.StepEvent>().toExtend<StepEvent>();
expectTypeOf<StepError>().toExtend<core.StepError>();
expectTypeOf<core.StepError>().toExtend<StepError>();

// Assignability alone would let an optional field be missing on either side.
expectTypeOf<keyof RemoteTask>().toEqualTypeOf<keyof core.RemoteTask>();
expectTypeOf<keyof StepResult>().toEqualTypeOf<keyof core.StepResult>();
expectTypeOf<keyof StepEvent>().toEqualTypeOf<keyof core.StepEvent>();
expectTypeOf<keyof StepError>().toEqualTypeOf<keyof core.StepError>();
expectTypeOf<RemoteTask>().toEqualTypeOf<core.RemoteTask>();
expectTypeOf<StepResult>().toEqualTypeOf<core.StepResult>();
expectTypeOf<StepEvent>().toEqualTypeOf<core.StepEvent>();
expectTypeOf<StepError>().toEqualTypeOf<core.StepError>();
