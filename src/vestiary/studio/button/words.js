/* What the button says, in English and Chinese. */
const WORDS = {
  en: {
    button: "Try it on", title: "Try it on", close: "Close", choose: "Choose a photo", take: "Take a photo",
    tips: "One person, from the front, arms a little away from the body, at least down to the hips.",
    consent: (host, hours) =>
      `Your photo is sent to ${host} for this picture only and deleted after ${hours}. `
      + "You can delete it yourself at any time.",
    hours: (n) => (n === 1 ? "one hour" : `${n} hours`),
    shoot: "Take it in 5 seconds", count: (n) => `${n} …`, back: "Back",
    scanning: "Looking at your photo …", fitting: "Putting it on …", ready: "Here you are.",
    before: "Your photo", after: "You, wearing it", slider: "Share of the fitted picture that is shown",
    another: "Another photo", save: "Save the picture", again: "Try again",
    remove: "Delete my photo", removed: "Your photo is deleted.",
    unreadable: "This file cannot be opened as a picture.", product: "The picture of this product cannot be read.",
    camera: "The camera cannot be used. Choose a photo instead.", offline: "The fitting room cannot be reached.",
  },
  zh: {
    button: "试穿", title: "试穿", close: "关闭", choose: "选择照片", take: "拍照",
    tips: "单人正面照，双臂稍微离开身体，至少拍到胯部。",
    consent: (host, hours) => `照片只会发送到 ${host} 用于生成试穿图，${hours}后删除；您也可以随时自行删除。`,
    hours: (n) => `${n} 小时`,
    shoot: "5 秒后拍照", count: (n) => `${n}……`, back: "返回",
    scanning: "正在查看照片……", fitting: "正在试穿……", ready: "试穿完成。",
    before: "您的照片", after: "试穿效果", slider: "试穿图显示的比例",
    another: "换一张照片", save: "保存图片", again: "重试",
    remove: "删除我的照片", removed: "您的照片已删除。",
    unreadable: "无法将此文件作为图片打开。", product: "无法读取该商品的图片。",
    camera: "无法使用摄像头，请选择照片。", offline: "无法连接试衣间。",
    problems: { // the service itself speaks English; by the codes of its errors
      person: "照片中没有可以试穿的人，请使用单人正面照。", garment: "这件商品无法穿在这张照片上。",
      image: "照片无法读取，或尺寸太大、太小。", unsuitable: "这张照片不适合使用。", busy: "现在试衣的人太多，请稍后再试。",
      "too-large": "照片文件太大。", "not-found": "照片已过期，请重新选择。", unavailable: "试衣间暂时无法使用，请稍后再试。",
      engine: "试穿失败，请换一张照片。", unauthorized: "此页面的试衣间设置有误。", forbidden: "此页面的试衣间设置有误。",
    },
  },
};
