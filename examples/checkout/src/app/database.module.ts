import { ENTITIES } from '@dudousxd/nestjs-durable-store-mikro-orm';
import { MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { settings } from './settings.ts';

const orm = {
  provide: MikroORM,
  useFactory: () =>
    MikroORM.init({
      driver: PostgreSqlDriver,
      clientUrl: settings.DATABASE_URL,
      pool: { min: 0, max: settings.POOL_SIZE },
      // Beside yours, if the app has entities of its own.
      entities: ENTITIES,
      // The engine's store opens a unit of work for each of its calls.
      allowGlobalContext: true,
    }),
};

@Global()
@Module({ providers: [orm], exports: [orm] })
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly orm: MikroORM) {}

  async onApplicationShutdown(): Promise<void> {
    await this.orm.close(true);
  }
}
