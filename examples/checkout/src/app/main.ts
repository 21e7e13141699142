import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.ts';
import { settings } from './settings.ts';

const app = await NestFactory.create<NestExpressApplication>(AppModule);
// An order of thousands of lines.
app.useBodyParser('json', { limit: '1mb' });
// On SIGTERM the engine finishes its turns and the transport gives back what it has not begun.
app.enableShutdownHooks();
await app.listen(settings.PORT, settings.HOST);
Logger.log(`listening on ${await app.getUrl()}`);
