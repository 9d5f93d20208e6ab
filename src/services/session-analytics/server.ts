/** The port of session-analytics: health, metrics, and what history is asked. */
import { type HistoryRouteOptions, historyRoutes } from '../../http/history-routes.ts';
import { type OperationOptions, operationRoutes } from '../../http/operation-routes.ts';
import { type HttpOptions, type HttpServer, startHttpServer } from '../../http/server.ts';

export type AnalyticsServerOptions = HttpOptions & OperationOptions & HistoryRouteOptions;

export function startAnalyticsServer(options: AnalyticsServerOptions): Promise<HttpServer> {
  return startHttpServer(options, (app) => {
    operationRoutes(app, options);
    historyRoutes(app, options);
  });
}
