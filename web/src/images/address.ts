/** Where the server has an image of a conversation. */
export const addressOf = (conversation: string, image: string): string => `/api/conversations/${conversation}/images/${image}`;
