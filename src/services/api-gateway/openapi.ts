/** The OpenAPI 3.1 description, made from the routes' schemas. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

export function openApiOptions(needsToken: boolean): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Lull',
        version: '1',
        description: 'User events in, sessions out. A session is what lies between two lulls.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'events', description: 'Sending events' },
        { name: 'sessions', description: 'Reading sessions' },
        { name: 'streams', description: 'Being told of sessions as they change' },
        { name: 'analytics', description: 'Figures over closed sessions' },
        { name: 'simulator', description: "The simulator's load" },
        { name: 'operations', description: 'Running it' },
      ],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: needsToken ? [{ token: [] }] : [],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`),
    },
  };
}
