/** The HTTP face: REST, the collector, streams, metrics, OpenAPI and the pages, on one port. */
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { historyRoutes } from '../../http/history-routes.ts';
import { operationRoutes } from '../../http/operation-routes.ts';
import { rateRoutes } from '../../http/rate-routes.ts';
import { type HttpServer, startHttpServer } from '../../http/server.ts';
import { stateRoutes } from '../../http/state-routes.ts';
import { collectorRoutes } from './collector-routes.ts';
import { liveRoutes } from './live-routes.ts';
import { openApiOptions } from './openapi.ts';
import type { GatewayOptions } from './options.ts';
import { pageRoutes } from './page-routes.ts';
import { sessionRoutes } from './session-routes.ts';
import { streamRoutes } from './stream-routes.ts';
import { systemRoutes } from './system-routes.ts';

/** Closing it also ends its streams, with a reason. */
export function startApiGateway(options: GatewayOptions): Promise<HttpServer> {
  return startHttpServer(options, async (app) => {
    await app.register(swagger, openApiOptions(options.access.token !== null));
    app.register(async (routes) => {
      const typed = routes.withTypeProvider<TypeBoxTypeProvider>();
      collectorRoutes(typed, options);
      liveRoutes(typed, options);
      historyRoutes(typed, options);
      sessionRoutes(typed, options);
      if (options.held !== null) {
        const { query, partitions } = options.held;
        const { partitionCount } = options.events;
        stateRoutes(typed, { held: query, partitions, partitionCount });
      }
      streamRoutes(typed, options);
      operationRoutes(typed, options);
      if (options.rate !== null) rateRoutes(typed, options.rate);
      systemRoutes(typed, options);
      pageRoutes(typed, options);
    });
  });
}
