// server/api/sign-out.post.ts
export default defineEventHandler(async ({ context }) => {
  await context.session?.end();
  return { customer: null };
});
