import 'reflect-metadata';
import { MikroOrmStateStore } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { NestFactory } from '@nestjs/core';
import { DatabaseModule } from './database.module.ts';

// The tables of an engine that does not make them itself: before the first deployment, and after an upgrade of its
// store.
const app = await NestFactory.createApplicationContext(DatabaseModule, { logger: ['error', 'warn'] });
await new MikroOrmStateStore(app.get(MikroORM)).ensureSchema();
await app.close();
