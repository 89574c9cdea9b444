() => {
  // what Gradio says by itself, in words for people; what a browser can't play the network may see all the same
  const said = [
    [/^Invalid file type: (.+)\. Only .*$/, "$1 is no video: please choose another file."],
    [/^File\(s\) exceed the maximum allowed size of .*?: "(.+)"$/, "$1 is too large: this page takes up to MEGABYTES MB."],
    [/^Queue is full.*$/, "Too many people are waiting: please come back in a few minutes."],
  ];
  const reword = () => document.querySelectorAll(".toast-body").forEach((toast) => {
    const messages = [...toast.querySelectorAll(".toast-message-text")];
    const idle = messages.filter((message) => message.textContent.includes("Video not playable"));
    idle.forEach((message) => { message.parentElement.style.display = "none"; });
    toast.style.display = messages.length && idle.length === messages.length ? "none" : "";
    for (const message of messages) {
      const words = message.textContent.trim();
      const found = said.find(([theirs]) => theirs.test(words));
      if (found) message.textContent = words.replace(...found);
    }
  });
  new MutationObserver(reword).observe(document.body, { childList: true, subtree: true });
}
