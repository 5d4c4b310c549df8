// server/api/me.get.ts
export default defineEventHandler(({ context }) => ({ customer: context.session?.customerId ?? null }));
