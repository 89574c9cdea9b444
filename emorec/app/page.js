() => {
  // what Gradio says by itself, in words for people; what a browser can't play the network may see all the same
  const said = [
    [/^Invalid file type: (.+)\. Only .*$/, "$1 is no video: please choose another file."],
    [/^File\(s\) exceed the maximum allowed size of .*?: "(.+)"$/, "$1 is too large: this page takes up to MEGABYTES MB."],
    [/^Queue is full.*$/, "Too many people are waiting: please come back in a few minutes."],
  ];
  const reword = () => document.querySelectorAll(".toast-body").forEach((toast) => {
    if (toast.textContent.includes("Video not playable")) { toast.style.display = "none"; return; }
    const texts = document.createTreeWalker(toast, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      for (const [theirs, ours] of said) {
        const words = text.nodeValue.trim();
        if (theirs.test(words)) text.nodeValue = words.replace(theirs, ours);
      }
    }
  });
  new MutationObserver(reword).observe(document.body, { childList: true, subtree: true });
}
