import { BadRequestException, type PipeTransform } from '@nestjs/common';
import type { z } from 'zod';

/** A pipe that lets through what its schema accepts, and answers 400 with the issues otherwise. */
export class ParsedBy<T> implements PipeTransform<unknown, T> {
  constructor(private readonly schema: z.ZodType<T>) {}

  transform(value: unknown): T {
    const { success, data, error } = this.schema.safeParse(value);
    if (success) return data;
    throw new BadRequestException(error.issues.map(({ path, message }) => ({ path: path.join('.'), message })));
  }
}
