/**
 * The images that everything runs in, wherever it runs: Compose, Swarm, Kubernetes and the tests. What a file repeats is
 * compared with this one by a test. Each tag stays at one version of its program and takes what is mended in it; whoever
 * wants the same bytes for ever writes a digest in its place (`docker buildx imagetools inspect` tells it).
 */
export const IMAGES = {
  node: 'node:26-slim',
  postgres: 'postgres:18-alpine',
  postgresDebian: 'postgres:18', // with Patroni: infra/redundant
  postgresCloudNative: 'ghcr.io/cloudnative-pg/postgresql:18', // by an operator: infra/kubernetes
  redis: 'redis:8-alpine',
  valkey: 'valkey/valkey:9-alpine', // for a test of the lock
  nginx: 'nginx:1.30-alpine',
  prometheus: 'prom/prometheus:v3.5.0',
  grafana: 'grafana/grafana:12.1.0',
  nginxExporter: 'nginx/nginx-prometheus-exporter:1.4.2',
  redisExporter: 'oliver006/redis_exporter:v1.74.0',
  postgresExporter: 'quay.io/prometheuscommunity/postgres-exporter:v0.17.1',
} as const;
