/** Two voices that meet: Parley's mark. */
export function Logo({ className = "size-7" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect width="32" height="32" rx="8" className="fill-[#5257d8]" />
      <path
        fill="#fff"
        d="M7 12.500A5.500 5.500 0 0 1 12.500 7h4.600a5.500 5.500 0 0 1 5.400 4.500h-3.300a6.700 6.700 0 0 0-6.700 6.700v.3l-3.200 2.400c-.7.500-1.600 0-1.600-.8v-4.300A5.500 5.500 0 0 1 7 12.500Z"
      />
      <path
        fill="#fff"
        fillOpacity=".62"
        d="M25.500 18.200a4.400 4.400 0 0 0-4.400-4.400h-2a4.400 4.400 0 0 0 0 8.800h1.600l2.900 2.200c.6.400 1.400 0 1.400-.7V20a4.400 4.400 0 0 0 .5-1.800Z"
      />
    </svg>
  );
}
