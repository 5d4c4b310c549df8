// A request of the application to itself has the visitor's session, also when that is new.
export const GET = async ({ fetch, locals }) => {
  const inner = await (await fetch("/page")).json();
  return Response.json({ session: locals.session, inner: inner.session });
};
