/** English, for images in questions. */
import { count, params } from "@nanostores/i18n";

export const images = {
  label: "Images of the question",
  one: "Image",
  of: params("Image {index} of {total}"),
  remove: params("Take out “{name}”"),
  removed: params("“{name}” was taken out."),
  added: count({ one: "An image was added.", other: "{count} images were added." }),
  making: params("“{name}” is being made smaller…"),
  stillMade: "One moment: an image is still being made smaller.",
  tooMany: count({ one: "A question can show one image.", other: "A question can show {count} images at most." }),
  tooLarge: params("“{name}” is too large. The images of a question may have {limit} MB together."),
  unreadable: params("“{name}” cannot be shown by this browser. Save it as PNG or JPEG, and add that."),
  notSeen: params("{model} sees no images. Choose another model, or take the images out."),
  missing: "This image cannot be loaded. Press to try again.",
  previous: "Previous image",
  next: "Next image",
};

export const imageErrors = {
  no_image: "One of the images is none in PNG, JPEG, WebP or GIF. Take it out.",
  image_not_found: "One of the images is not here any more. Edit the question, and take it out or add it again.",
  images_not_seen: "This model sees no images. Choose another one, or take the images out of the question.",
};
