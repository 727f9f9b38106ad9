/** 한국어. */
import type { Translations } from "../ko.ts";
import type * as base from "./en.ts";

export const ko = {
  images: {
    label: "질문의 이미지",
    one: "이미지",
    of: "이미지 {total}개 중 {index}번째",
    remove: "‘{name}’ 빼기",
    removed: "‘{name}’ 이미지를 뺐어요.",
    added: { other: "이미지 {count}개를 추가했어요." },
    making: "‘{name}’ 크기를 줄이는 중…",
    stillMade: "이미지 크기를 아직 줄이고 있어요. 잠시만 기다려 주세요.",
    tooMany: { other: "질문 하나에 이미지를 {count}개까지 넣을 수 있어요." },
    tooLarge: "‘{name}’ 이미지가 너무 커요. 한 질문의 이미지는 모두 합쳐 {limit}MB까지 넣을 수 있어요.",
    unreadable: "이 브라우저에서는 ‘{name}’ 이미지를 표시할 수 없어요. PNG나 JPEG로 저장해서 추가해 주세요.",
    notSeen: "{model} 모델은 이미지를 볼 수 없어요. 다른 모델을 선택하거나 이미지를 빼 주세요.",
    missing: "이미지를 불러올 수 없어요. 누르면 다시 시도해요.",
    previous: "이전 이미지",
    next: "다음 이미지",
  },
  imageErrors: {
    no_image: "PNG, JPEG, WebP, GIF가 아닌 이미지가 있어요. 그 이미지를 빼 주세요.",
    image_not_found: "더 이상 없는 이미지가 있어요. 질문을 수정해서 그 이미지를 빼거나 다시 추가해 주세요.",
    images_not_seen: "이 모델은 이미지를 볼 수 없어요. 다른 모델을 선택하거나 질문에서 이미지를 빼 주세요.",
  },
} satisfies Translations<typeof base>;
